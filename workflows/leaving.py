"""What an ended subscription leaves on its key: asked for once more, told, and parked or taken back.

The end itself is written first, so that it waits for nobody. Where PortOne cannot be asked at once, the run asks on
before it is over.
"""

import hashlib
from collections.abc import Sequence

from temporalio import workflow
from temporalio.exceptions import ActivityError

from billing.domain import takeover
from billing.domain.events import EventType
from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.parked import ParkedKind, ParkedRecord
from billing.domain.states import SubscriptionStatus
from billing.domain.takeover import AtEnd, Standing
from workflows import key_look, left_entry, patches, policies, telling
from workflows.bells import hand_on
from workflows.key_contracts import StartLeftSchedule, left_schedule_workflow_id
from workflows.policies import ActivityOptions
from workflows.ports import LeftScheduleActivities
from workflows.subscription_run import SubscriptionRun


async def look_once_more(run: SubscriptionRun, options: ActivityOptions) -> None:
    """Ask what somebody else has scheduled on the keys of a subscription that has ended, and leave none of it silent.

    A key that another card replaced and that could not be deleted yet is one of them. Schedules of ours that still
    stand are taken back, and what ran is settled as any charge after an end.
    """
    if not _matters(run) or not workflow.patched(patches.TAKE_OVER):
        return
    standing: list[ScheduleFact] = []
    ours: list[ScheduleFact] = []
    try:
        for key in dict.fromkeys([run.customer_uid, *run.state.left_keys]):
            on_key = await key_look.scheduled_on(key, options, _life(run))
            standing += on_key.open
            ours += on_key.left
    except ActivityError:
        # Asked again, for as long as it takes, before the run is over.
        return
    for back in await key_look.take_all_back(ours):
        if back.paid is not None:
            await hand_on(run, [back.paid])
        elif not back.revoked and back.row.status != "executed":
            standing.append(back.row)
    run.state.standing = [takeover.of_schedule(row) for row in standing]
    if standing:
        await _leave_none_silent(run, standing)


async def what_stands(run: SubscriptionRun) -> tuple[Standing, ...] | None:
    """What somebody else has scheduled on the key of a living subscription; None where PortOne could not be asked."""
    if not run.state.has_card or not workflow.patched(patches.TAKE_OVER):
        return None
    try:
        on_key = await key_look.scheduled_on(run.customer_uid, policies.TIDY, _life(run))
    except ActivityError:
        return None
    return tuple(takeover.of_schedule(row) for row in on_key.open)


def _life(run: SubscriptionRun) -> key_look.Life:
    ended = run.state.ended_at is not None
    return key_look.Life(run.start.subscription_id, run.start.customer_uid, ended=ended)


def _matters(run: SubscriptionRun) -> bool:
    """Whether the key of an ended subscription is still there, and has not been asked about since it ended."""
    state = run.state
    if state.ended_at is None or not state.has_card or state.standing is not None:
        return False
    # A card whose start failed has no key any more; a key that was there before has.
    begun = state.status is not SubscriptionStatus.INCOMPLETE_EXPIRED
    return begun or (run.start.vault_handle is None and state.pg_provider is not None)


async def _leave_none_silent(run: SubscriptionRun, rows: Sequence[ScheduleFact]) -> None:
    left, ran = list(rows), list[PaymentFact]()
    if run.state.status is SubscriptionStatus.INCOMPLETE_EXPIRED:
        # It never began: what stands there may be what the buyer goes on with. It is told, and left alone.
        left = []
    elif run.start.policy.foreign_at_end is AtEnd.REVOKE:
        backs = await key_look.take_all_back(rows)
        run.state.standing = [key_look.told(back) for back in backs]
        left = [back.row for back in backs if not back.revoked and back.row.status != "executed"]
        ran = [back.paid for back in backs if back.paid is not None]
    parked = [_parked(run, row) for row in left]
    for record in parked:
        run.note_parked(record)
        data = left_entry.parked_data(record, _status(run))
        run.tell(EventType.SUBSCRIPTION_PARKED, f"parked: {record.reason}", data)
    text = takeover.in_words("somebody else's charges are left on the billing key", run.state.standing or [])
    told = telling.payment_method(run, reason=text)
    run.tell(EventType.PAYMENT_METHOD_SCHEDULED_ELSEWHERE, text[:500], told)
    await run.write("somebody else's charges are left on the billing key")
    await hand_on(run, ran)
    if parked:
        starts = [
            StartLeftSchedule(row=row, parked=record, status=_status(run))
            for row, record in zip(left, parked, strict=True)
        ]
        await workflow.execute_activity_method(
            LeftScheduleActivities.watch_schedules,
            starts,
            summary=f"watch {', '.join(row.merchant_uid for row in left)}"[:200],
            **policies.LEDGER,
        )


def _status(run: SubscriptionRun) -> str:
    return run.state.status.value


def _parked(run: SubscriptionRun, row: ScheduleFact) -> ParkedRecord:
    """One for each order number, whoever finds it: a later end that finds it again finds the same."""
    at = workflow.now()
    return ParkedRecord(
        parked_id=f"left-{hashlib.sha256(row.merchant_uid.encode()).hexdigest()[:24]}",
        kind=ParkedKind.SCHEDULE_LEFT,
        workflow_id=left_schedule_workflow_id(row.merchant_uid),
        customer_uid=run.start.customer_uid,
        subscription_id=run.start.subscription_id,
        reason=takeover.in_words(
            "a charge that nobody here ordered is scheduled on the key of an ended subscription",
            [takeover.of_schedule(row)],
        ),
        merchant_uid=row.merchant_uid,
        parked_at=at,
        revision=left_entry.revision_at(at),
        known=(f"billing key {row.customer_uid}", f"order {takeover.of_schedule(row)}"),
    )
