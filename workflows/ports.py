"""The activities the workflows call: names, inputs and outputs, no bodies.

`activities/` subclasses these and does the work; workflow code sees nothing but this page.
A decline is a value and an unanswered charge is a value; only an outage raises.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime

from temporalio import activity

from billing.domain.facts import BillingKeyFact, PaymentFact, ScheduleFact
from billing.domain.known_order import AskedOrder, Known
from billing.domain.records import LedgerEntry
from workflows.billing_key.contracts import (
    KeyDeleted,
    KeyPaymentsAsked,
    KeyPaymentsFound,
    StartLeftSchedule,
    Unscheduled,
)
from workflows.contracts import (
    CancelAnswer,
    CancelPayment,
    ChargeAgain,
    ChargeAnswer,
    ChargeOnetime,
    DeleteBillingKey,
    IssueBillingKey,
    KeyAnswer,
    LookUpOrder,
    OrderSeen,
    RegisterSchedule,
    Reschedule,
    RetrySchedule,
    ScheduleAnswer,
    Unschedule,
)
from workflows.events.contracts import DeliveryDue, NextDelivery, SendAnswer, SendEvent
from workflows.reconciliation.contracts import (
    BeginReconciliation,
    CompareSlice,
    EndReconciliation,
    ReconciliationEnded,
    ReconciliationPlan,
    RingBells,
    Rung,
    SliceCompared,
)
from workflows.unexpected_payment.contracts import ReportedFact


class BillingKeyActivities(ABC):
    """PortOne's `/subscribe/customers/{customer_uid}`."""

    @activity.defn
    @abstractmethod
    async def issue_billing_key(self, order: IssueBillingKey) -> KeyAnswer:
        """Issue a key from the vault's card; the card is gone from the vault on success and on refusal."""

    @activity.defn
    @abstractmethod
    async def find_billing_key(self, customer_uid: str) -> BillingKeyFact | None:
        """The key, or None when PortOne has none."""

    @activity.defn
    @abstractmethod
    async def delete_billing_key(self, order: DeleteBillingKey) -> KeyDeleted:
        """Delete the key, where there is one."""

    @activity.defn
    @abstractmethod
    async def discard_card(self, vault_handle: str) -> None:
        """Forget a card whose outcome was proven by a look-up, or that will not be used."""


class PaymentActivities(ABC):
    """PortOne's `/subscribe/payments/again`, `/onetime` and `/payments`."""

    @activity.defn
    @abstractmethod
    async def charge_again(self, order: ChargeAgain) -> ChargeAnswer:
        """Charge a billing key now, at most once for each `send_no`."""

    @activity.defn
    @abstractmethod
    async def retry_schedule(self, order: RetrySchedule) -> ChargeAnswer:
        """Charge a failed or revoked schedule now, at most once for each `send_no`."""

    @activity.defn
    @abstractmethod
    async def charge_onetime(self, order: ChargeOnetime) -> ChargeAnswer:
        """Charge a card from the vault now, at most once for each `send_no`."""

    @activity.defn
    @abstractmethod
    async def find_payment(self, imp_uid: str) -> PaymentFact | None:
        """The payment of this imp_uid, or None when PortOne does not know it."""

    @activity.defn
    @abstractmethod
    async def find_payments(self, merchant_uid: str) -> Sequence[PaymentFact]:
        """Every payment of this order number, failed ones too; all pages."""

    @activity.defn
    @abstractmethod
    async def look_up_order(self, order: LookUpOrder) -> OrderSeen:
        """What was reported, every payment of the order number, and its schedule where asked, read in this order."""

    @activity.defn
    @abstractmethod
    async def find_reported(self, imp_uids: Sequence[str]) -> Sequence[PaymentFact]:
        """Those of these payments that PortOne knows, in any order; at most a hundred, in one call where it can be."""

    @activity.defn
    @abstractmethod
    async def cancel_payment(self, order: CancelPayment) -> CancelAnswer:
        """Refund, guarded by PortOne's checksum, at most once for each refund_id."""


class ScheduleActivities(ABC):
    """PortOne's `/subscribe/payments/schedule` family."""

    @activity.defn
    @abstractmethod
    async def register_schedule(self, order: RegisterSchedule) -> ScheduleAnswer:
        """Register one charge, issuing the key in the same call when a card comes with it.

        Where PortOne says that it is registered, what is to be shown of it then is written too, if it can be.
        """

    @activity.defn
    @abstractmethod
    async def find_schedule(self, merchant_uid: str) -> ScheduleFact | None:
        """The schedule row, or None when PortOne has none."""

    @activity.defn
    @abstractmethod
    async def reschedule(self, order: Reschedule) -> ScheduleAnswer:
        """Book a failed or revoked schedule again."""

    @activity.defn
    @abstractmethod
    async def unschedule(self, order: Unschedule) -> Unscheduled:
        """Revoke one order number. The row is read back to know who won."""

    @activity.defn
    @abstractmethod
    async def has_open_schedules(self, customer_uid: str) -> bool:
        """Whether PortOne still has a charge scheduled on this key, in any window."""


class KeyActivities(ABC):
    """What stands on a billing key: PortOne's lists of its schedules and payments."""

    @activity.defn
    @abstractmethod
    async def list_key_schedules(self, customer_uid: str) -> Sequence[ScheduleFact]:
        """Every charge that is scheduled on the key or has run, in any window, by whomever, the earliest first."""

    @activity.defn
    @abstractmethod
    async def list_key_payments(self, asked: KeyPaymentsAsked) -> KeyPaymentsFound:
        """The paid payments of the key since an instant, by whomever; from all pages."""


class LedgerActivities(ABC):
    """The ledger's one write, and what a decision needs to know from it."""

    @activity.defn
    @abstractmethod
    async def record(self, entry: LedgerEntry) -> None:
        """Write one step of a story in one transaction; writing it twice changes nothing.

        Raises:
            ApplicationError: type `LedgerConflict`, when the step contradicts what is written.
        """

    @activity.defn
    @abstractmethod
    async def attempts_on_card(self, customer_uid: str) -> Sequence[datetime]:
        """When the card behind a key was or will be tried in dunning, over all subscriptions, oldest first."""

    @activity.defn
    @abstractmethod
    async def subscription_on_key(self, customer_uid: str) -> str | None:
        """The workflow id of the living subscription that a billing key is charged for, or None."""

    @activity.defn
    @abstractmethod
    async def is_left_by_an_ended_life(self, key: BillingKeyFact, asking: str) -> bool:
        """Whether PortOne's key is the very one that an ended subscription charged, and nobody but `asking` has it.

        `asking` is the workflow that begins under its name. False for a key of a PG that issues none by card.
        """

    @activity.defn
    @abstractmethod
    async def known_orders(self, asked: Sequence[AskedOrder]) -> Sequence[Known]:
        """What is known here of orders and payments, in the order in which they were asked for."""


class LeftScheduleActivities(ABC):
    """Handing on schedules that an ended subscription left on its key."""

    @activity.defn
    @abstractmethod
    async def watch_schedules(self, left: Sequence[StartLeftSchedule]) -> None:
        """Begin to watch each of these schedules, where nobody does; done twice it changes nothing."""


class FactActivities(ABC):
    """Handing on what a workflow heard and that is not its own."""

    @activity.defn
    @abstractmethod
    async def report_facts(self, facts: Sequence[ReportedFact]) -> None:
        """Tell the workflow of each payment, starting it where there is none; telling it twice changes nothing."""


class EventActivities(ABC):
    """The outgoing events: whose turn it is, and the one POST."""

    @activity.defn
    @abstractmethod
    async def next_delivery(self, order: NextDelivery) -> DeliveryDue | None:
        """The event whose turn it is, due or not; None when nothing is left to send."""

    @activity.defn
    @abstractmethod
    async def send_event(self, order: SendEvent) -> SendAnswer:
        """Sign and send one event, counted before it leaves and written down after it."""


class ReconciliationActivities(ABC):
    """PortOne's lists against the ledger and the workflows, one page for each call.

    A page is compared inside the call, and what differs is in the ledger when it returns; a page that is compared
    again writes nothing twice.
    """

    @activity.defn
    @abstractmethod
    async def begin_reconciliation(self, order: BeginReconciliation) -> ReconciliationPlan:
        """Choose the windows by PortOne's limits, and by the test clocks where there are any; note the run."""

    @activity.defn
    @abstractmethod
    async def compare_payments(self, order: CompareSlice) -> SliceCompared:
        """One page of PortOne's payments, against the ledger."""

    @activity.defn
    @abstractmethod
    async def compare_schedules(self, order: CompareSlice) -> SliceCompared:
        """One page of PortOne's schedules, against the ledger; those of ours are noted as seen."""

    @activity.defn
    @abstractmethod
    async def compare_charges(self, order: CompareSlice) -> SliceCompared:
        """One page of the charges that the ledger settled, against PortOne."""

    @activity.defn
    @abstractmethod
    async def compare_one_time_charges(self, order: CompareSlice) -> SliceCompared:
        """One page of one-time charges that have no outcome, against PortOne."""

    @activity.defn
    @abstractmethod
    async def compare_subscriptions(self, order: CompareSlice) -> SliceCompared:
        """One page of living subscriptions, against PortOne's keys and schedules, and against Temporal's runs."""

    @activity.defn
    @abstractmethod
    async def compare_open_differences(self, order: CompareSlice) -> SliceCompared:
        """One page of differences that stand open and were not met in this run: resolved, or found again."""

    @activity.defn
    @abstractmethod
    async def end_reconciliation(self, order: EndReconciliation) -> ReconciliationEnded:
        """Note how the run ended; answers what it leaves open."""


class BellActivities(ABC):
    """The workflows that a difference concerns."""

    @activity.defn
    @abstractmethod
    async def ring(self, order: RingBells) -> Rung:
        """Tell each workflow to look; twice does no more than once."""
