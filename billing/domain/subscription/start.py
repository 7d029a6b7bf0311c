"""What a subscription is started with, and lives by until its end."""

from datetime import datetime

from billing.domain.coupons import Coupon
from billing.domain.deadlines import DeadlineLadder, QuietWindow
from billing.domain.dunning import DunningPolicy, RetryLadder
from billing.domain.message import Message
from billing.domain.plans import PlanTerms
from billing.domain.records import Customer
from billing.domain.takeover import AtEnd, TakeOver


def subscription_workflow_id(customer_uid: str) -> str:
    """The workflow id of the one subscription of a customer_uid (design section 2)."""
    return f"subscription/{customer_uid}"


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
    metadata: dict[str, str] = {}  # noqa: RUF012 - pydantic copies it for each
    policy: BillingPolicy = BillingPolicy()
