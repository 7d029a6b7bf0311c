"""What an ended subscription leaves on its key: asked for once more, told, and parked or taken back.

The end itself is written first, so that it waits for nobody. Where PortOne cannot be asked at once, the run asks on
before it is over.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError

from billing.domain import takeover
from billing.domain.events import EventType
from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.parked import ParkedKind, ParkedRecord
from billing.domain.states import SubscriptionStatus
from billing.domain.subscription import ending, payloads
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from billing.domain.takeover import AtEnd, Standing
from workflows import policies
from workflows.billing_key import key_look
from workflows.billing_key.contracts import StartLeftSchedule, left_schedule_workflow_id
from workflows.charge import portone
from workflows.ports import LeftScheduleActivities
from workflows.subscription import ledger
from workflows.unexpected_payment import leaving, left_entry
from workflows.unexpected_payment.notifications import hand_on


async def look_once_more(subscription: Subscription, recording: Recording) -> None:
    """Ask what is scheduled on the keys of a subscription that has ended, and leave none of it silent.

    A key that another card replaced and that could not be deleted yet is one of them. Schedules of ours that still
    stand are taken back, and what ran is settled as any charge after an end; one that cannot be taken back is told and
    parked as ours.

    Raises:
        ActivityError: PortOne does not answer: it is asked again.
    """
    if not ending.asks_what_is_left(subscription):
        return
    foreign: list[ScheduleFact] = []
    left: list[ScheduleFact] = []
    ordered_by: dict[str, str] = {}
    for key in dict.fromkeys([subscription.terms.customer_uid, *subscription.state.old_keys.keys]):
        on_key = await key_look.scheduled_on(key, policies.TIDY, _life(subscription))
        foreign += on_key.open
        left += on_key.left
        ordered_by |= on_key.ordered_by
    ours = [back.row for back in await take_ours_back(subscription, recording, left)]
    subscription.state.after_end.found([takeover.of_schedule(row) for row in (*foreign, *ours)])
    if foreign or ours:
        await _leave_none_silent(subscription, recording, foreign, ours, ordered_by)


async def take_ours_back(
    subscription: Subscription, recording: Recording, left: Sequence[ScheduleFact]
) -> list[key_look.TakenBack]:
    """Take back what a life of ours that is over left scheduled; answers those that still stand.

    What ran is handed on, and settled as that life's.
    """
    standing: list[key_look.TakenBack] = []
    for back in await key_look.take_all_back(left, revoking(subscription, recording)):
        if back.paid is not None:
            await hand_on(subscription, recording, [back.paid])
        elif not back.revoked and back.row.status != "executed":
            standing.append(back)
    return standing


def revoking(subscription: Subscription, recording: Recording) -> key_look.Revoke:
    """Revokes a schedule for this subscription, which keeps in mind what was not answered."""

    async def revoke(customer_uid: str, merchant_uid: str, summary: str) -> bool:
        return await portone.unschedule(subscription, recording, customer_uid, merchant_uid, summary)

    return revoke


async def what_stands(subscription: Subscription) -> tuple[Standing, ...] | None:
    """What somebody else has scheduled on the key of a living subscription; None where PortOne could not be asked."""
    if not subscription.state.method.is_there:
        return None
    try:
        on_key = await key_look.scheduled_on(subscription.terms.customer_uid, policies.TIDY, _life(subscription))
    except ActivityError:
        return None
    return tuple(takeover.of_schedule(row) for row in on_key.open)


def _life(subscription: Subscription) -> key_look.Life:
    ended = subscription.state.ended_at is not None
    return key_look.Life(subscription.start.subscription_id, subscription.start.customer_uid, ended=ended)


async def _leave_none_silent(
    subscription: Subscription,
    recording: Recording,
    foreign: Sequence[ScheduleFact],
    ours: Sequence[ScheduleFact],
    ordered_by: Mapping[str, str],
) -> None:
    left, ran = list(foreign), list[PaymentFact]()
    if subscription.state.status is SubscriptionStatus.INCOMPLETE_EXPIRED:
        # It never began: what stands there may be what the buyer goes on with. It is told, and left alone.
        left = []
    elif subscription.start.policy.foreign_at_end is AtEnd.REVOKE:
        backs = await key_look.take_all_back(foreign, revoking(subscription, recording))
        subscription.state.after_end.found([*map(key_look.told, backs), *map(takeover.of_schedule, ours)])
        left = [back.row for back in backs if not back.revoked and back.row.status != "executed"]
        ran = [back.paid for back in backs if back.paid is not None]
    left += ours
    starts = [_left(subscription, workflow.now(), row, ordered_by.get(row.merchant_uid)) for row in left]
    for start in starts:
        leaving.park(recording, start, workflow.now())
    _tell_of_somebody_else(subscription, recording, workflow.now(), ordered_by)
    recording.write("charges are left on the billing key", workflow.now())
    await hand_on(subscription, recording, ran)
    if starts:
        await ledger.record(recording)
        await workflow.execute_activity_method(
            LeftScheduleActivities.watch_schedules,
            starts,
            summary=f"watch {', '.join(row.merchant_uid for row in left)}"[:200],
            **policies.LEDGER,
        )


def _tell_of_somebody_else(
    subscription: Subscription, recording: Recording, now: datetime, ordered_by: Mapping[str, str]
) -> None:
    foreign = [each for each in subscription.state.after_end.standing or [] if each.merchant_uid not in ordered_by]
    if foreign:
        text = takeover.in_words("somebody else's charges are left on the billing key", foreign)
        told = payloads.payment_method(subscription, reason=text)
        recording.emit(EventType.PAYMENT_METHOD_SCHEDULED_ELSEWHERE, text[:500], told, now)


def _left(subscription: Subscription, now: datetime, row: ScheduleFact, ordered_by: str | None) -> StartLeftSchedule:
    parked = _parked(subscription, now, row, ordered_by)
    status = subscription.state.status.value
    return StartLeftSchedule(row=row, parked=parked, status=status, ordered_by=ordered_by)


def _parked(subscription: Subscription, now: datetime, row: ScheduleFact, ordered_by: str | None) -> ParkedRecord:
    """One for each order number, whoever finds it: a later end that finds it again finds the same."""
    at, told = now, takeover.of_schedule(row)
    why = "a charge that nobody here ordered is scheduled on the key of an ended subscription"
    known: tuple[str, ...] = (f"billing key {row.customer_uid}", f"order {told}")
    if ordered_by is not None:
        why = f"a charge of subscription {ordered_by}, which is over, could not be taken back from its key"
        known = (*known, f"ordered by subscription {ordered_by}")
    return ParkedRecord(
        parked_id=f"left-{hashlib.sha256(row.merchant_uid.encode()).hexdigest()[:24]}",
        kind=ParkedKind.SCHEDULE_LEFT,
        workflow_id=left_schedule_workflow_id(row.merchant_uid),
        customer_uid=subscription.start.customer_uid,
        subscription_id=subscription.start.subscription_id,
        reason=takeover.in_words(why, [told]),
        merchant_uid=row.merchant_uid,
        parked_at=at,
        revision=left_entry.revision_at(at),
        known=known,
    )
