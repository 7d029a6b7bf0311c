"""What is left to do when a call was never answered, and when a subscription has ended: read again, take back, hand on.

A run that has ended stays until nothing of it is on its way any more; then nobody can be charged by it.
"""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from billing.domain import calls
from billing.domain.both_sides import money_held
from billing.domain.calls import CallKind, CallOnItsWay
from billing.domain.facts import ScheduleFact
from billing.domain.instants import AT_ONCE
from billing.domain.states import ENDED, CycleState
from billing.domain.subscription.answers import ChargeAtOrder
from billing.domain.verdict import Finding, Verdict, judge
from workflows import leaving, old_keys, policies, portone, stopping
from workflows.bells import hand_on
from workflows.subscription_run import SubscriptionRun

GIVES_UP_AFTER = timedelta(days=1)
"""How long an ended subscription asks what is left on its key; then the reconciliation is who finds it."""

_DELETES = 3
"""How often an ended subscription tries to delete a key whose deletion is not answered; then it is left, and told."""

_ABOUT_A_KEY = frozenset({CallKind.ISSUE_KEY, CallKind.DELETE_KEY})


# ---------------------------------------------------------------- calls whose window is over


async def read_again(run: SubscriptionRun) -> None:
    """Read once more what an unanswered call was about, now that it cannot be carried out any more."""
    call = calls.over(run.state.calls, workflow.now())[0]
    if call.kind in _ABOUT_A_KEY:
        await _read_key(run, call)
    elif call.about == run.merchant_uid and run.state.ended_at is None:
        run.state.row_look_at = workflow.now()
    elif call.about.startswith(run.start.subscription_id):
        # What somebody else had scheduled, and was taken back for a start, is theirs to schedule again.
        await _take_back(run, call)
    run.state.calls = [each for each in run.state.calls if each != call]


async def _read_key(run: SubscriptionRun, call: CallOnItsWay) -> None:
    """A key that was to be deleted, or that may have been issued for nobody, is not left behind."""
    charged = run.state.has_card and call.about == run.customer_uid and run.state.status not in ENDED
    key = await portone.find_key(call.about)
    if key is None or charged:
        return
    if run.state.status in ENDED and run.state.tidied < _DELETES:
        run.state.tidied += 1
        await old_keys.delete(run, call.about, "nothing is charged by it")
    else:
        old_keys.leave(run, call.about)


async def _take_back(run: SubscriptionRun, call: CallOnItsWay) -> None:
    """An order number that nothing is to charge any more: what stands is revoked, and what ran is handed on."""
    row = await portone.find_schedule(call.about)
    if row is not None and row.status == "scheduled":
        await portone.unschedule(run, row.customer_uid, call.about, f"take back {call.about}")
        row = await portone.find_schedule(call.about)
    rows = await portone.find_payments(call.about)
    await hand_on(run, [each for each in rows if money_held(each)])
    if row is not None and row.status == "scheduled" and not _is_late(run):
        # It stands all the same: read once more, until it is taken back or has run.
        run.call_on_its_way(CallKind.UNSCHEDULE, call.about, workflow.now())


# ---------------------------------------------------------------- after the end


def is_tidying(run: SubscriptionRun) -> bool:
    """Whether an ended subscription still has something to do or to wait for."""
    state = run.state
    if state.charge is not None or state.refunds or state.calls or old_keys.are_left(run):
        return True
    return state.row_look_at is not None or (leaving.matters(run) and not _is_late(run))


def next_at(run: SubscriptionRun) -> datetime | None:
    """When an ended subscription does something by itself; None where it only waits for what is on its way."""
    if run.state.row_look_at is not None or leaving.matters(run):
        return run.state.tidies_at or AT_ONCE
    return None


async def go_on(run: SubscriptionRun) -> None:
    """Ask what is left on the key; where a charge was in doubt when it ended, its order is looked up too."""
    state = run.state
    state.tidies_at = None
    try:
        if state.row_look_at is not None:
            await _look_at_the_last_order(run)
        await leaving.look_once_more(run)
    except ActivityError:
        ladder = policies.ASK_AGAIN_AFTER
        state.tidies_at = workflow.now() + ladder[min(state.tidied, len(ladder) - 1)]
        state.tidied += 1


async def _look_at_the_last_order(run: SubscriptionRun) -> None:
    state, number = run.state, run.merchant_uid
    row = await portone.find_schedule(number)
    if row is not None and row.status == "scheduled":
        await portone.unschedule(run, run.customer_uid, number)
        row = await portone.find_schedule(number)
    rows = await portone.find_payments(number)
    paid = [each for each in rows if money_held(each)]
    ran = row is not None and row.status == "executed"
    judged = judge(run.expected(), rows, row, known_failures=state.known_failures)
    not_shown = ran and judged.finding is Finding.ABSENT and not _has_failed(row)
    unproven = (judged.finding is Finding.PENDING and (ran or bool(rows))) or not_shown
    still = row is not None and row.status == "scheduled"
    await hand_on(run, paid)
    state.booked = still
    open_ended = still or unproven or calls.may_charge(state.calls, number)
    state.row_look_at = workflow.now() if open_ended and not _is_late(run) else None
    if open_ended:
        ladder = policies.ASK_AGAIN_AFTER
        state.tidies_at = workflow.now() + ladder[min(state.tidied, len(ladder) - 1)]
        state.tidied += 1
    else:
        await _write_what_it_came_to(run, judged, paid=bool(paid))


async def _write_what_it_came_to(run: SubscriptionRun, judged: Verdict, *, paid: bool) -> None:
    """What was told as unknown is known now; what was paid is written by the workflow that gives it back."""
    state = run.state
    if not paid and state.cycle_state is not CycleState.UNKNOWN:
        return
    charge = ChargeAtOrder.PAID
    if not paid:
        charge = ChargeAtOrder.REVOKED
        if judged.finding is Finding.DECLINED:
            charge = ChargeAtOrder.DECLINED
            await stopping.write_the_last_decline(run, judged)
        else:
            state.move(CycleState.REVOKED)
            run.close_number(CycleState.REVOKED, state.end_reason or "taken back")
            await run.write("the charge was taken back")
    if state.canceled is not None:
        state.canceled = state.canceled.model_copy(update={"charge": charge})


def _has_failed(row: ScheduleFact | None) -> bool:
    return row is not None and row.payment_status == "failed"


def _is_late(run: SubscriptionRun) -> bool:
    ended_at = run.state.ended_at
    return ended_at is not None and workflow.now() >= ended_at + GIVES_UP_AFTER
