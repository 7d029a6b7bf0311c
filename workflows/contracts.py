"""Every message that crosses a process: inputs, results, signals, updates, queries.

All messages are frozen pydantic models.
They may only gain optional fields: a message written by an old worker is read by a new one, and the other way round.
No message carries card data; a card is named by the handle of the one-time vault (design section 5).
"""

from datetime import datetime

from billing.domain.facts import BillingKeyFact, PaymentFact, ScheduleFact
from billing.domain.message import Message
from billing.domain.money import Money
from billing.domain.outcomes import ChargeOutcome, KeyOutcome, ScheduleOutcome
from billing.domain.records import ChargeRegistered, Customer, RefundState
from billing.domain.states import CycleState
from billing.domain.subscription.start import BillingPolicy, PortOneChannel

BILLING_TASK_QUEUE = "billing"


def payment_workflow_id(merchant_uid: str) -> str:
    """The workflow id of a key-in payment."""
    return f"payment/{merchant_uid}"


def refund_workflow_id(merchant_uid: str) -> str:
    """The workflow id of a refund: one at a time for each payment, so that two refunds never race."""
    return f"refund/{merchant_uid}"


def fact_workflow_id(imp_uid: str) -> str:
    """The workflow id of what one payment says that nobody expects any more: one at a time for each payment."""
    return f"fact/{imp_uid}"


def billing_key_workflow_id(customer_uid: str) -> str:
    """The workflow id of issuing or deleting a billing key outside a subscription."""
    return f"billing-key/{customer_uid}"


# ---------------------------------------------------------------- what every charge needs


# ---------------------------------------------------------------- activities: PortOne


class IssueBillingKey(Message):
    """Issue the billing key of `customer_uid` from the card behind `vault_handle`."""

    customer_uid: str
    vault_handle: str
    channel: PortOneChannel = PortOneChannel()
    customer: Customer = Customer()


class KeyAnswer(Message):
    """What became of issuing a key; `unknown` is closed by looking the key up."""

    outcome: KeyOutcome
    key: BillingKeyFact | None = None
    code: str | None = None
    message: str | None = None


class DeleteBillingKey(Message):
    """Delete the billing key of `customer_uid`; irreversible (DELETE /subscribe/customers/{customer_uid})."""

    customer_uid: str
    reason: str | None = None


class ChargeAgain(Message):
    """Charge a billing key now, as the `send_no`-th sending of this order number.

    `send_no` is compared and set in the ledger before the request leaves, so that no retry, reset or second worker
    sends the same one twice.
    """

    workflow_id: str
    merchant_uid: str
    customer_uid: str
    amount: Money
    name: str
    send_no: int
    tax_free: int = 0
    vat_amount: int | None = None
    customer: Customer = Customer()
    channel: PortOneChannel = PortOneChannel()


class ChargeOnetime(Message):
    """Charge the card behind `vault_handle` once, storing a billing key when `customer_uid` is given."""

    workflow_id: str
    merchant_uid: str
    vault_handle: str
    amount: Money
    name: str
    send_no: int
    tax_free: int = 0
    vat_amount: int | None = None
    customer_uid: str | None = None
    customer: Customer = Customer()
    channel: PortOneChannel = PortOneChannel()


class ChargeAnswer(Message):
    """What PortOne's answer to a charge was worth: one of four outcomes, never an exception.

    `worth_resending` is False where the same request can only be refused again: the card is gone, or a field is wrong.
    """

    outcome: ChargeOutcome
    worth_resending: bool = True
    imp_uid: str | None = None
    code: str | None = None
    message: str | None = None


class LookUpOrder(Message):
    """Look an order up: its payments, the one that was reported by `imp_uid`, and its schedule where that is asked."""

    merchant_uid: str
    imp_uid: str | None = None
    with_schedule: bool = False


class OrderSeen(Message):
    """What PortOne shows of an order; `reported` is what the asked imp_uid names, unless it is among the payments."""

    payments: tuple[PaymentFact, ...] = ()
    reported: PaymentFact | None = None
    schedule: ScheduleFact | None = None


class RegisterSchedule(Message):
    """Register one charge at PortOne for `schedule_at`; with a `vault_handle` the key is issued in the same call.

    `records` is what is written to the ledger once PortOne has said that the charge is registered.
    """

    workflow_id: str
    merchant_uid: str
    customer_uid: str
    schedule_at: datetime
    amount: Money
    name: str
    tax_free: int = 0
    vat_amount: int | None = None
    customer: Customer = Customer()
    channel: PortOneChannel = PortOneChannel()
    vault_handle: str | None = None
    records: ChargeRegistered | None = None


class Reschedule(Message):
    """Book a failed or revoked schedule again under its own order number."""

    merchant_uid: str
    schedule_at: datetime


class ScheduleAnswer(Message):
    """What became of registering a schedule; anything but `registered` is looked up before the next step.

    `recorded` says that this is in the ledger already.
    """

    outcome: ScheduleOutcome
    schedule: ScheduleFact | None = None
    code: str | None = None
    message: str | None = None
    recorded: bool = False


class RetrySchedule(Message):
    """Charge a failed or revoked schedule now, as the `send_no`-th sending of this order number."""

    merchant_uid: str
    send_no: int


class Unschedule(Message):
    """Revoke one order number; never sent without it, since that would revoke every schedule of the key."""

    customer_uid: str
    merchant_uid: str


class CancelPayment(Message):
    """Refund `amount` of a payment whose cancellable balance is `checksum`, in minor units.

    The reason carries the refund's mark; `requester` is who asked for it, where the PG wants to know (naverpay).
    """

    refund_id: str
    imp_uid: str
    amount: Money
    checksum: int
    reason: str | None = None
    tax_free: int = 0
    vat_amount: int | None = None
    requester: str | None = None


class CancelAnswer(Message):
    """What became of a refund call."""

    outcome: RefundState
    payment: PaymentFact | None = None
    code: str | None = None
    message: str | None = None


# ---------------------------------------------------------------- SubscriptionWorkflow


# ---------------------------------------------------------------- payments, refunds, keys


class StartKeyInPayment(Message):
    """One payment by card number; with `customer_uid` the same call stores a billing key."""

    merchant_uid: str
    vault_handle: str
    amount: Money
    name: str
    tax_free: int = 0
    vat_amount: int | None = None
    customer_uid: str | None = None
    channel: PortOneChannel = PortOneChannel()
    customer: Customer = Customer()
    policy: BillingPolicy = BillingPolicy()


class PaymentSettled(Message):
    """How a one-time payment ended: a named state, with PortOne's id when there is one."""

    merchant_uid: str
    state: CycleState
    imp_uid: str | None = None
    code: str | None = None
    message: str | None = None
    billing_key_stored: bool = False


class StartIssueBillingKey(Message):
    """Issue a billing key outside a subscription."""

    customer_uid: str
    vault_handle: str
    channel: PortOneChannel = PortOneChannel()
    customer: Customer = Customer()


class StartDeleteBillingKey(Message):
    """Delete a billing key unless PortOne still has a charge scheduled on it.

    `quiet_minutes` is how long a call that was not answered may still be carried out. `known` says that the ledger has
    the key: where PortOne does not have it after such a call, that call has deleted it.
    """

    customer_uid: str
    reason: str | None = None
    quiet_minutes: int = 10
    known: bool = False


class BillingKeySettled(Message):
    """How issuing or deleting ended: `issued`, `deleted`, or why not, by a stable `code`."""

    done: bool
    key: BillingKeyFact | None = None
    code: str | None = None
    message: str | None = None


# ---------------------------------------------------------------- reconciliation
