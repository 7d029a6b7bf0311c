"""Every message that crosses a process: inputs, results, signals, updates, queries.

All messages are frozen pydantic models.
They may only gain optional fields: a message written by an old worker is read by a new one, and the other way round.
No message carries card data; a card is named by the handle of the one-time vault (design section 5).
"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from billing.domain.coupons import Coupon
from billing.domain.deadlines import DeadlineLadder, QuietWindow
from billing.domain.dunning import DunningPolicy, RetryLadder
from billing.domain.facts import BillingKeyFact, PaymentFact, ScheduleFact
from billing.domain.money import Money
from billing.domain.outcomes import ChargeOutcome, KeyOutcome, ScheduleOutcome
from billing.domain.plans import PlanTerms
from billing.domain.records import Customer, RefundState, SubscriptionLife
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.takeover import AtEnd, Standing, TakeOver

BILLING_TASK_QUEUE = "billing"


class Message(BaseModel):
    """A frozen message; unknown fields of a newer sender are ignored."""

    model_config = ConfigDict(frozen=True)


def subscription_workflow_id(customer_uid: str) -> str:
    """The workflow id of the one subscription of a customer_uid (design section 2)."""
    return f"subscription/{customer_uid}"


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


class PortOneChannel(Message):
    """Which PortOne channel a call goes through: `pg` (`provider` or `provider.MID`), or a `channel_key`."""

    pg: str | None = None
    channel_key: str | None = None


class BillingPolicy(Message):
    """The timings one subscription lives by, fixed at its start so that a replay reads what the run read.

    `dunning` replaces `retries` where it is given. `notice_days` and `trial_notice_days` are how long before a charge,
    or before the end of a trial, it is announced; None announces nothing.
    `roll_after_events` continues as new after that many history events, beside the server's own suggestion.
    `roll_when_deployed` continues as new once after each deploy, so that patches die (decision 0004).
    `foreign_at_end` is what becomes of schedules of somebody else on its key when it ends.
    """

    schedule_horizon_days: int = 80
    quiet: QuietWindow = QuietWindow()
    deadlines: DeadlineLadder = DeadlineLadder()
    retries: RetryLadder = RetryLadder()
    dunning: DunningPolicy | None = None
    notice_days: int | None = None
    trial_notice_days: int | None = None
    roll_after_events: int | None = None
    roll_when_deployed: bool = False
    foreign_at_end: AtEnd = AtEnd.PARK


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


class RegisterSchedule(Message):
    """Register one charge at PortOne for `schedule_at`; with a `vault_handle` the key is issued in the same call."""

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


class Reschedule(Message):
    """Book a failed or revoked schedule again under its own order number."""

    merchant_uid: str
    schedule_at: datetime


class ScheduleAnswer(Message):
    """What became of registering a schedule; anything but `registered` is looked up before the next step."""

    outcome: ScheduleOutcome
    schedule: ScheduleFact | None = None
    code: str | None = None
    message: str | None = None


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


class StartSubscription(Message):
    """Begin a subscription: `subscription_id` is the incarnation its order numbers are built from.

    `vault_handle` names the card in the one-time vault; None means that the billing key was already issued,
    as after the SDK window. `without_card` begins a trial that no card stands behind yet.
    `trial_ends_at` ends the trial at that instant instead of after the plan's `trial_days`.
    `paid_until` is when a payer who was imported has to pay next: active until then, in no trial. `take_over` is for
    charges that somebody else left on the key. All periods but a short first one begin on `billing_day`, 1 to 31.
    """

    subscription_id: str
    customer_uid: str
    plan: PlanTerms
    quantity: int = 1
    coupon: Coupon | None = None
    trial_ends_at: datetime | None = None
    paid_until: datetime | None = None
    take_over: TakeOver = TakeOver.REFUSE
    billing_day: int | None = None
    without_card: bool = False
    vault_handle: str | None = None
    channel: PortOneChannel = PortOneChannel()
    customer: Customer = Customer()
    metadata: dict[str, str] = {}
    policy: BillingPolicy = BillingPolicy()


class PaymentReported(Message):
    """The bell a webhook rings: ids only, a reason to look, never a fact."""

    imp_uid: str
    merchant_uid: str
    status: str = ""
    cancellation_id: str = ""


class SubscriptionSnapshot(Message):
    """Where a subscription stands, read by queries and answered by updates.

    `wakes_at` is the instant the run looks again by itself though nobody rings. `standing` is what somebody else left
    on its key, as it was found at the start or the end; None where nobody asked, or PortOne could not be asked.
    """

    subscription_id: str
    customer_uid: str
    status: SubscriptionStatus
    cycle: int
    cycle_state: CycleState
    merchant_uid: str | None = None
    next_charge_at: datetime | None = None
    wakes_at: datetime | None = None
    current_period_start: datetime | None = None
    current_period_end: datetime | None = None
    failed_attempts: int = 0
    cancel_at_period_end: bool = False
    parked_reason: str | None = None
    last_failure: str | None = None
    last_failure_code: str | None = None
    card: str | None = None
    end_reason: str | None = None
    paid_cycles: int = 0
    billing_key: str | None = None
    life: SubscriptionLife = SubscriptionLife()
    standing: tuple[Standing, ...] | None = None


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


class StartRefund(Message):
    """Refund `amount` of a paid row of `merchant_uid`; None refunds all that is left.

    Without an `imp_uid` the row that the charge is booked with is refunded. `tax_free` and `vat_amount` are as the
    charge was split, unless given. `customer_uid` is the one that the subscription was started under; the ledger knows
    it where it is not given.
    """

    refund_id: str
    merchant_uid: str
    amount: Money | None = None
    reason: str | None = None
    tax_free: int | None = None
    vat_amount: int | None = None
    customer_uid: str | None = None
    subscription_id: str | None = None
    imp_uid: str | None = None
    requester: str | None = None


class RefundSettled(Message):
    """How a refund ended; `remaining` is what can still be refunded, in minor units."""

    refund_id: str
    state: RefundState
    amount: Money | None = None
    remaining: int | None = None
    code: str | None = None
    message: str | None = None


class StartIssueBillingKey(Message):
    """Issue a billing key outside a subscription."""

    customer_uid: str
    vault_handle: str
    channel: PortOneChannel = PortOneChannel()
    customer: Customer = Customer()


class StartDeleteBillingKey(Message):
    """Delete a billing key unless PortOne still has a charge scheduled on it."""

    customer_uid: str
    reason: str | None = None


class BillingKeySettled(Message):
    """How issuing or deleting ended: `issued`, `deleted`, or why not, by a stable `code`."""

    done: bool
    key: BillingKeyFact | None = None
    code: str | None = None
    message: str | None = None


# ---------------------------------------------------------------- reconciliation


class LookAgain(Message):
    """The bell that reconciliation rings where there is no payment to report: a reason to look, never a fact.

    `merchant_uid` is the order whose schedule or outcome differs, "" when it is the billing key.
    """

    merchant_uid: str = ""
    reason: str = ""
