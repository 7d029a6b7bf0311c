"""Skip the next periods: nothing is charged for them and nothing is given, and the billing day stays."""

from datetime import datetime

from temporalio import workflow

from billing.domain import bounds, refusals
from billing.domain.events import EventType
from billing.domain.message import Message
from billing.domain.records import ChargeIntent
from billing.domain.refusals import Refusal, need
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription import payloads, skipping
from billing.domain.subscription.answers import ChargeAtOrder, OrderAnswered
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows.charge import stopping
from workflows.charge.stopping import Stopped
from workflows.subscription.commands.command import OWING, Command, Fault, has_numbers_left, is_not_parked
from workflows.subscription.commands.texts import text

BY_REQUEST = "skipped by request"

SKIP_UNPAID = Refusal("skip_unpaid", f"{refusals.PAY}, or pause it with the next period")
PAUSE_IS_SET = Refusal("pause_is_set", "take the pause back first, by POST …/resume")
NOT_SKIPPABLE = Refusal("not_skippable", f"{refusals.LOOK}; only an active subscription has periods to skip")
TOO_MANY_SKIPPED = Refusal("too_many_skipped", "skip fewer, or pause it by POST …/pause", status=422, field="periods")


class SkipPeriods(Message):
    """Skip so many periods, from the next one on; they are added to those that are skipped already."""

    periods: int = 1
    reason: str | None = None


def guard(message: SkipPeriods, subscription: Subscription, now: datetime) -> None:
    """Refuse where no period is to be skipped."""
    state = subscription.state
    need(state.status is not SubscriptionStatus.PAUSED, refusals.ALREADY_PAUSED, "it is paused: nothing is charged")
    need(state.status not in OWING, SKIP_UNPAID, "a period is not paid, and to skip the next would leave it owed")
    need(state.status is SubscriptionStatus.ACTIVE, NOT_SKIPPABLE, f"it is {state.status.value}")
    need(not state.cancel.at_period_end, refusals.CANCEL_IS_SET, "it ends with its period")
    need(not state.pause.at_period_end, PAUSE_IS_SET, "it pauses with its period")
    is_not_parked(subscription)
    need(not subscription.terms.term_is_paid, refusals.TERM_ENDS, "the fixed term ends with this period")
    skipped = state.periods.skipped.periods if state.periods.skipped is not None else 0
    most = bounds.MAX_SKIPPED_PERIODS
    need(skipped + message.periods <= most, TOO_MANY_SKIPPED, f"at most {most} periods are skipped at once")
    due_at = skipping.due_after(subscription, message.periods)
    fault = bounds.ahead_fault(due_at, now, bounds.MAX_PAUSE_DAYS)
    need(fault is None, TOO_MANY_SKIPPED, f"the next charge {fault}")
    has_numbers_left(subscription)


async def work(subscription: Subscription, recording: Recording, message: SkipPeriods) -> OrderAnswered:
    """Stop the next charge if it still can be, and let it come so many periods later; say what happened."""
    stopped = await stopping.stop_the_charge(subscription, recording)
    if ran_first(stopped):
        return not_moved(stopped, "the next charge ran first: its period is not skipped, and nothing was changed")
    now = workflow.now()
    if stopped.charge is ChargeAtOrder.REVOKED:
        recording.close_order(CycleState.REVOKED, message.reason or BY_REQUEST, now)
    skipping.skip(subscription, message.periods)
    subscription.state.period.plan_again("periods are skipped")
    text_ = f"{message.periods} skipped, until {subscription.terms.local(subscription.state.period.due_at)}"
    told = payloads.subscription(subscription, message.reason)
    recording.emit(EventType.SUBSCRIPTION_SKIP_SCHEDULED, text_, told, now)
    recording.write(text_, now, intents=moved_intents(subscription, stopped))
    return OrderAnswered(charge=stopped.charge, merchant_uid=stopped.merchant_uid)


def ran_first(stopped: Stopped) -> bool:
    """Whether the next charge was faster, or may have been: then it is not moved."""
    return stopped.charge is ChargeAtOrder.PAID or stopped.stands_in_the_way or stopped.unfinished


def moved_intents(subscription: Subscription, stopped: Stopped) -> list[ChargeIntent]:
    """The intent with its new day, of a charge that keeps its order number and was not taken back at PortOne."""
    keeps_its_order = subscription.state.period.order == subscription.terms.would_open()
    return [subscription.intent()] if keeps_its_order and stopped.charge is not ChargeAtOrder.REVOKED else []


def not_moved(stopped: Stopped, message: str) -> OrderAnswered:
    """The next charge was faster: what came of it, and that nothing was changed."""
    code = "charge_unfinished" if stopped.unfinished else f"charge_{stopped.charge.value}"
    return OrderAnswered(
        done=False,
        code=code,
        message=message,
        charge=stopped.charge,
        merchant_uid=stopped.merchant_uid,
        charged=stopped.payment.amount if stopped.payment else None,
    )


def faults(message: SkipPeriods) -> list[Fault]:
    """What lies beyond a bound."""
    number = bounds.number_fault(message.periods, 1, bounds.MAX_SKIPPED_PERIODS)
    return [("periods", number), text("reason", message.reason, bounds.MAX_REASON)]


COMMAND = Command(
    name="skip",
    path="skip",
    summary="Skip the next periods: nothing is charged for them, and the billing day stays.",
    message=SkipPeriods,
    guard=guard,
    work=work,
    refusals=(
        refusals.ALREADY_PAUSED,
        refusals.CANCEL_IS_SET,
        refusals.PARKED,
        refusals.TERM_ENDS,
        refusals.TOO_MANY_CHANGES,
        SKIP_UNPAID,
        PAUSE_IS_SET,
        NOT_SKIPPABLE,
        TOO_MANY_SKIPPED,
    ),
    events=(EventType.SUBSCRIPTION_SKIP_SCHEDULED, EventType.SUBSCRIPTION_SKIPPED),
    faults=faults,
)
