"""Change the trial: it ends on another day, or now, and its first charge with it."""

from datetime import datetime, timedelta

from temporalio import workflow

from billing.domain import bounds, refusals
from billing.domain.consent import ConsentDecision
from billing.domain.events import EventType
from billing.domain.message import Message
from billing.domain.plans import MAX_TRIAL_DAYS
from billing.domain.refusals import Refusal, need
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription import (
    consent_need,
    consenting,
    dunning,
    ending,
    first_period,
    payloads,
    scheduling,
)
from billing.domain.subscription.answers import ChargeAtOrder, OrderAnswered
from billing.domain.subscription.consent_answer import ConsentAnswer
from billing.domain.subscription.in_flight import Purpose
from billing.domain.subscription.period_close import settle_skipped
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.reminders import TRIAL
from billing.domain.subscription.standing import stand
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Finding
from workflows.charge import attempts, stopping
from workflows.charge.attempts import Proven
from workflows.charge.settling import settle
from workflows.subscription.commands.command import Command, Fault, has_numbers_left, is_not_parked
from workflows.subscription.commands.texts import of_an_answer

NOT_TRIALING = Refusal("not_trialing", f"{refusals.LOOK}; another plan or price comes by POST …/change-plan")
CONSENT_NEEDED = Refusal("consent_needed", "end it with consent, or give ends_at, and the buyer is asked")


class ChangeTrial(Message):
    """End the trial at another instant; None ends it now.

    `consent` is the buyer's act of ending it now, where the plan asks for it.
    """

    ends_at: datetime | None = None
    consent: ConsentAnswer | None = None


def guard(message: ChangeTrial, subscription: Subscription, now: datetime) -> None:
    """Refuse where there is no trial, or it cannot end then."""
    state, plan = subscription.state, subscription.terms.plan
    need(state.status is SubscriptionStatus.TRIALING, NOT_TRIALING, "it is not in a trial")
    is_not_parked(subscription)
    if message.ends_at is None:
        need(not state.cancel.at_period_end, refusals.CANCEL_IS_SET, "it ends with its trial")
        coming = state.items.pending.plan if state.items.pending is not None else plan
        asks = plan.consent_required or coming.consent_required
        consents = message.consent is not None and message.consent.decision is ConsentDecision.GRANTED
        need(consents or not asks, CONSENT_NEEDED, "its end needs the buyer's consent")
    else:
        need(message.ends_at > now, refusals.IN_THE_PAST, "ends_at must lie ahead")
        last = now + timedelta(days=MAX_TRIAL_DAYS)
        why = f"ends_at must lie at most {MAX_TRIAL_DAYS} days ahead"
        need(message.ends_at <= last, refusals.TOO_FAR_AHEAD, why)
    has_numbers_left(subscription)


def faults(message: ChangeTrial) -> list[Fault]:
    """What lies beyond a bound."""
    instant = bounds.instant_fault(message.ends_at) if message.ends_at is not None else None
    return [("ends_at", instant), *(of_an_answer(message.consent) if message.consent is not None else ())]


async def work(subscription: Subscription, recording: Recording, message: ChangeTrial) -> OrderAnswered | None:
    """End the trial on another day, and move the charge behind it; or end it now, and charge at once.

    A trial that is ended now is over whatever its charge comes to: declined, the subscription is `past_due`.
    """
    ends_now, ends_at = message.ends_at is None, (message.ends_at or workflow.now()).replace(microsecond=0)
    stopped = await stopping.stop_the_charge(subscription, recording)
    if stopped.unfinished or stopped.charge not in (ChargeAtOrder.NONE_PLANNED, ChargeAtOrder.REVOKED):
        return _answer_the_charge_ran_first(stopped, ends_now=ends_now)
    _end_at(subscription, ends_at)
    wanted = consent_need.need_at(subscription, ends_at) if ends_now else None
    if wanted is not None and message.consent is not None:
        consenting.grant_at_once(subscription, recording, workflow.now(), wanted, message.consent)
    recording.emit(
        EventType.SUBSCRIPTION_TRIAL_CHANGED,
        f"the trial ends {subscription.terms.local(subscription.state.period.due_at)}",
        payloads.subscription(subscription),
        workflow.now(),
    )
    intents = [subscription.intent()] if subscription.state.period.order == subscription.terms.would_open() else []
    recording.write(
        f"the trial ends {subscription.terms.local(subscription.state.period.due_at)}", workflow.now(), intents=intents
    )
    if ends_now:
        return _charge_at_once(subscription, recording, workflow.now(), stopped)
    subscription.state.period.plan_again("the trial ends on another day")
    return OrderAnswered(charge=stopped.charge)


def _answer_the_charge_ran_first(stopped: stopping.Stopped, *, ends_now: bool) -> OrderAnswered:
    """The trial had ended by itself, or its charge is in doubt; who wanted it to end has what they wanted."""
    code, message = "not_trialing", "its charge ran first: the trial is over"
    if stopped.unfinished:
        code, message = "charge_unfinished", "PortOne has not finished a payment of its charge; nothing was changed"
    elif stopped.charge is ChargeAtOrder.MISMATCH:
        code, message = "charge_mismatch", "its charge ran first and is not as ordered; decide that first"
    done = ends_now and code == "not_trialing"
    return OrderAnswered(
        done=done,
        code=None if done else code,
        message=None if done else message,
        charge=stopped.charge,
        merchant_uid=stopped.merchant_uid,
        charged=stopped.payment.amount if stopped.payment else None,
    )


def _end_at(subscription: Subscription, ends_at: datetime) -> None:
    first_period.end_trial_at(subscription, ends_at)
    subscription.state.period.announce_again(TRIAL)


def _charge_at_once(
    subscription: Subscription, recording: Recording, now: datetime, stopped: stopping.Stopped
) -> OrderAnswered | None:
    state = subscription.state
    if subscription.terms.bill().amount.amount == 0:
        settle_skipped(subscription, recording, now)
        return OrderAnswered()
    if not state.method.is_there:
        ending.end_without_a_card(subscription, recording, now)
        return OrderAnswered()
    revoked = stopped.charge is ChargeAtOrder.REVOKED and not subscription.terms.can_reschedule()
    if revoked or state.period.order not in (None, subscription.terms.would_open()):
        scheduling.renumber(subscription, recording, now, "the trial ends now")
    state.period.move(CycleState.VERIFYING)
    attempts.begin(subscription, now, Purpose.TRIAL_END)
    return None


async def charged(subscription: Subscription, recording: Recording, proven: Proven) -> OrderAnswered:
    """The charge at the end of the trial is proven: record it, and answer what came of it."""
    number, verdict = subscription.terms.merchant_uid, dunning.as_declined(proven.verdict)
    if verdict.finding is Finding.PENDING:
        stand(subscription, recording, workflow.now(), CycleState.UNKNOWN, verdict)
    else:
        await settle(subscription, recording, verdict)
    outcomes = {
        Finding.PAID: ChargeAtOrder.PAID,
        Finding.DECLINED: ChargeAtOrder.DECLINED,
        Finding.PENDING: ChargeAtOrder.UNKNOWN,
    }
    charge = outcomes.get(verdict.finding, ChargeAtOrder.MISMATCH)
    open_or_wrong = charge in (ChargeAtOrder.MISMATCH, ChargeAtOrder.UNKNOWN)
    return OrderAnswered(
        done=not open_or_wrong,
        code=f"charge_{charge.value}" if open_or_wrong else None,
        message=verdict.reason if charge is not ChargeAtOrder.PAID else None,
        charge=charge,
        merchant_uid=number,
        charged=verdict.payment.amount if charge is ChargeAtOrder.PAID and verdict.payment else None,
    )


COMMAND = Command(
    name="change_trial",
    path="trial",
    summary="End the trial on another day, or now.",
    message=ChangeTrial,
    guard=guard,
    work=work,
    refusals=(
        NOT_TRIALING,
        CONSENT_NEEDED,
        refusals.CANCEL_IS_SET,
        refusals.PARKED,
        refusals.IN_THE_PAST,
        refusals.TOO_FAR_AHEAD,
        refusals.TOO_MANY_CHANGES,
    ),
    events=(EventType.SUBSCRIPTION_TRIAL_CHANGED, EventType.CHARGE_PAID, EventType.CHARGE_DECLINED),
    faults=faults,
    instant="ends_at",
)
