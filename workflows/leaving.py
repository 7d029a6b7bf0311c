"""What an ended subscription leaves on its key: asked for once more, told, and parked or taken back.

The end itself is written first, so that it waits for nobody. Where PortOne cannot be asked at once, the run asks on
before it is over.
"""

import hashlib
from collections.abc import Mapping, Sequence

from temporalio import workflow
from temporalio.exceptions import ActivityError

from billing.domain import takeover
from billing.domain.events import EventType
from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.parked import ParkedKind, ParkedRecord
from billing.domain.states import SubscriptionStatus
from billing.domain.takeover import AtEnd, Standing
from workflows import key_look, left_entry, policies, portone, telling
from workflows.bells import hand_on
from workflows.key_contracts import StartLeftSchedule, left_schedule_workflow_id
from workflows.ports import LeftScheduleActivities
from workflows.subscription_run import SubscriptionRun


async def look_once_more(run: SubscriptionRun) -> None:
    """Ask what is scheduled on the keys of a subscription that has ended, and leave none of it silent.

    A key that another card replaced and that could not be deleted yet is one of them. Schedules of ours that still
    stand are taken back, and what ran is settled as any charge after an end; one that cannot be taken back is told and
    parked as ours.

    Raises:
        ActivityError: PortOne does not answer: it is asked again.
    """
    if not matters(run):
        return
    foreign: list[ScheduleFact] = []
    left: list[ScheduleFact] = []
    ordered_by: dict[str, str] = {}
    for key in dict.fromkeys([run.customer_uid, *run.state.left_keys]):
        on_key = await key_look.scheduled_on(key, policies.TIDY, _life(run))
        foreign += on_key.open
        left += on_key.left
        ordered_by |= on_key.ordered_by
    ours = [back.row for back in await take_ours_back(run, left)]
    run.state.standing = [takeover.of_schedule(row) for row in (*foreign, *ours)]
    if foreign or ours:
        await _leave_none_silent(run, foreign, ours, ordered_by)


async def take_ours_back(run: SubscriptionRun, left: Sequence[ScheduleFact]) -> list[key_look.TakenBack]:
    """Take back what a life of ours that is over left scheduled; answers those that still stand.

    What ran is handed on, and settled as that life's.
    """
    standing: list[key_look.TakenBack] = []
    for back in await key_look.take_all_back(left, revoking(run)):
        if back.paid is not None:
            await hand_on(run, [back.paid])
        elif not back.revoked and back.row.status != "executed":
            standing.append(back)
    return standing


def revoking(run: SubscriptionRun) -> key_look.Revoke:
    """Revokes a schedule for this subscription, which keeps in mind what was not answered."""

    async def revoke(customer_uid: str, merchant_uid: str, summary: str) -> bool:
        return await portone.unschedule(run, customer_uid, merchant_uid, summary)

    return revoke


async def what_stands(run: SubscriptionRun) -> tuple[Standing, ...] | None:
    """What somebody else has scheduled on the key of a living subscription; None where PortOne could not be asked."""
    if not run.state.has_card:
        return None
    try:
        on_key = await key_look.scheduled_on(run.customer_uid, policies.TIDY, _life(run))
    except ActivityError:
        return None
    return tuple(takeover.of_schedule(row) for row in on_key.open)


def _life(run: SubscriptionRun) -> key_look.Life:
    ended = run.state.ended_at is not None
    return key_look.Life(run.start.subscription_id, run.start.customer_uid, ended=ended)


def matters(run: SubscriptionRun) -> bool:
    """Whether the key of an ended subscription is still there, and has not been asked about since it ended."""
    state = run.state
    if state.ended_at is None or not state.has_card or state.standing is not None:
        return False
    # A card whose start failed has no key any more; a key that was there before has.
    begun = state.status is not SubscriptionStatus.INCOMPLETE_EXPIRED
    return begun or (run.start.vault_handle is None and state.pg_provider is not None)


async def _leave_none_silent(
    run: SubscriptionRun, foreign: Sequence[ScheduleFact], ours: Sequence[ScheduleFact], ordered_by: Mapping[str, str]
) -> None:
    left, ran = list(foreign), list[PaymentFact]()
    if run.state.status is SubscriptionStatus.INCOMPLETE_EXPIRED:
        # It never began: what stands there may be what the buyer goes on with. It is told, and left alone.
        left = []
    elif run.start.policy.foreign_at_end is AtEnd.REVOKE:
        backs = await key_look.take_all_back(foreign, revoking(run))
        run.state.standing = [*map(key_look.told, backs), *map(takeover.of_schedule, ours)]
        left = [back.row for back in backs if not back.revoked and back.row.status != "executed"]
        ran = [back.paid for back in backs if back.paid is not None]
    left += ours
    parked = [_parked(run, row, ordered_by.get(row.merchant_uid)) for row in left]
    for record in parked:
        run.note_parked(record)
        data = left_entry.parked_data(record, _status(run))
        run.tell(EventType.SUBSCRIPTION_PARKED, f"parked: {record.reason}", data)
    _tell_of_somebody_else(run, ordered_by)
    await run.write("charges are left on the billing key")
    await hand_on(run, ran)
    if parked:
        starts = [
            StartLeftSchedule(row=row, parked=record, status=_status(run), ordered_by=ordered_by.get(row.merchant_uid))
            for row, record in zip(left, parked, strict=True)
        ]
        await workflow.execute_activity_method(
            LeftScheduleActivities.watch_schedules,
            starts,
            summary=f"watch {', '.join(row.merchant_uid for row in left)}"[:200],
            **policies.LEDGER,
        )


def _tell_of_somebody_else(run: SubscriptionRun, ordered_by: Mapping[str, str]) -> None:
    foreign = [each for each in run.state.standing or [] if each.merchant_uid not in ordered_by]
    if foreign:
        text = takeover.in_words("somebody else's charges are left on the billing key", foreign)
        told = telling.payment_method(run, reason=text)
        run.tell(EventType.PAYMENT_METHOD_SCHEDULED_ELSEWHERE, text[:500], told)


def _status(run: SubscriptionRun) -> str:
    return run.state.status.value


def _parked(run: SubscriptionRun, row: ScheduleFact, ordered_by: str | None) -> ParkedRecord:
    """One for each order number, whoever finds it: a later end that finds it again finds the same."""
    at, told = workflow.now(), takeover.of_schedule(row)
    why = "a charge that nobody here ordered is scheduled on the key of an ended subscription"
    known: tuple[str, ...] = (f"billing key {row.customer_uid}", f"order {told}")
    if ordered_by is not None:
        why = f"a charge of subscription {ordered_by}, which is over, could not be taken back from its key"
        known = (*known, f"ordered by subscription {ordered_by}")
    return ParkedRecord(
        parked_id=f"left-{hashlib.sha256(row.merchant_uid.encode()).hexdigest()[:24]}",
        kind=ParkedKind.SCHEDULE_LEFT,
        workflow_id=left_schedule_workflow_id(row.merchant_uid),
        customer_uid=run.start.customer_uid,
        subscription_id=run.start.subscription_id,
        reason=takeover.in_words(why, [told]),
        merchant_uid=row.merchant_uid,
        parked_at=at,
        revision=left_entry.revision_at(at),
        known=known,
    )
