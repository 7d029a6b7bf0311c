"""A command meets the next charge: PortOne's schedule row is the arbiter of which of the two came first.

`unschedule` names the order number, then the payments and the row are read back: `revoked` means that the command won,
`executed` means that the charge won, and then it is proven what it came to (design section 3). Where PortOne does not
answer, or a call that was not answered may still let the schedule stand, the outcome is open, and that is what is told:
the schedule is read again, and taken back again where nothing is to be charged (`settle_the_doubt`). Nothing in here
waits.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from billing.domain import calls
from billing.domain.events import EventType
from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.instants import AT_ONCE
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription.answers import ChargeAtOrder
from billing.domain.verdict import Finding, Verdict, judge
from workflows import attempts, consent_need, policies, portone, scheduling, telling
from workflows.settling import settle, verify
from workflows.subscription_run import SubscriptionRun
from workflows.turnover import settle_paid

IN_ARREARS = frozenset({SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID})

_OPEN = frozenset({Finding.PENDING, Finding.ABSENT})


@dataclass(frozen=True, slots=True)
class Stopped:
    """What became of the open charge: which of the two won, under which number, and what was paid.

    `unfinished` says that PortOne still has a payment of the number in progress: it is neither paid nor proven unpaid,
    so nothing else may be charged for the period.
    """

    charge: ChargeAtOrder
    merchant_uid: str
    payment: PaymentFact | None = None
    unfinished: bool = False

    @property
    def stands_in_the_way(self) -> bool:
        """Whether the charge ran, and the period is not paid by it as ordered."""
        return self.charge in (ChargeAtOrder.DECLINED, ChargeAtOrder.MISMATCH, ChargeAtOrder.UNKNOWN)


async def stop_the_charge(run: SubscriptionRun, *, ending: bool = False) -> Stopped:
    """Stop the open charge if it still can be stopped; what ran instead is recorded before this returns.

    With `ending` a decline is only written down, since no retry will follow it, and an open outcome is an answer.

    Raises:
        ApplicationError: `charge_unknown`, when nobody can prove which of the two won, and it does not end with it.
    """
    number = run.merchant_uid
    if run.state.charge is not None:
        return _stop_our_own(run)
    stopped, found = Stopped(ChargeAtOrder.NONE_PLANNED, number), None
    if run.state.booked or calls.may_charge(run.state.calls, number):
        stopped, found = await _revoke(run, ending=ending)
    if stopped.charge not in (ChargeAtOrder.NONE_PLANNED, ChargeAtOrder.REVOKED):
        return stopped
    if found is None and (run.state.failed_attempts or run.state.sends):
        # Nothing is scheduled; but where something was sent, a late approval must not be left behind.
        found = await _look(run)
    return stopped if found is None else await _look_behind(run, stopped, found)


def _stop_our_own(run: SubscriptionRun) -> Stopped:
    """A charge of our own is under way: what has not left is not sent; what may have run is brought to its end."""
    charge = run.state.charge
    assert charge is not None  # noqa: S101 - asked while one is under way
    number = charge.order.merchant_uid
    if attempts.give_up(run):
        return Stopped(ChargeAtOrder.NONE_PLANNED, number)
    if number != run.merchant_uid:
        return Stopped(ChargeAtOrder.UNKNOWN, number)
    return _unknown(run, "it was sent, and nobody knows yet what it came to")


async def _look(run: SubscriptionRun) -> Verdict:
    rows = await portone.find_payments(run.merchant_uid)
    run.note_failures(rows)
    return judge(run.expected(), rows, known_failures=run.state.known_failures)


async def _revoke(run: SubscriptionRun, *, ending: bool) -> tuple[Stopped, Verdict | None]:
    """Take the schedule back; answers who won, and what payments the number had before the row was read."""
    number = run.merchant_uid
    try:
        found, row = await _revoke_and_read(run)
    except ActivityError:
        run.asked_in_vain()
        return _open(run, ending=ending), None
    if row is not None and row.status == "executed":
        return await _record_the_winner(run, ending=ending), None
    if row is not None and row.status != "revoked":
        return _open(run, ending=ending), None
    if calls.may_charge(run.state.calls, number):
        # It is revoked, and a call of ours that was not answered may still let it stand again.
        return _open(run, ending=ending), None
    # A row that is gone will not run either.
    _is_revoked(run)
    return Stopped(ChargeAtOrder.REVOKED, number), found


async def _revoke_and_read(run: SubscriptionRun) -> tuple[Verdict, ScheduleFact | None]:
    """Ask PortOne to revoke it, and read what it shows; asked again at once while it stands all the same."""
    number = run.merchant_uid
    for last in (False, False, True):
        answered = await portone.unschedule(run, run.customer_uid, number)
        # Payments before the row: what runs or stands again in between, the row still shows.
        found = await _look(run)
        row = await portone.find_schedule(number)
        if row is None or row.status in ("revoked", "executed") or not answered or last:
            break
    return found, row


def _is_revoked(run: SubscriptionRun) -> None:
    state = run.state
    state.booked, state.row_look_at = False, None
    if state.cycle_state is not CycleState.PLANNED:
        state.move(CycleState.REVOKED)


def _open(run: SubscriptionRun, *, ending: bool) -> Stopped:
    """Nobody knows yet whether the charge was taken back: its row is read again soon."""
    state = run.state
    state.booked = True
    if state.cycle_state is CycleState.REGISTERING:
        state.move(CycleState.REGISTERED)
    _look_again_later(run)
    if ending:
        return _unknown(run, "nobody knows yet whether it was taken back")
    message = "nobody knows yet whether the next charge was taken back; nothing was changed, ask again"
    raise ApplicationError(message, type="charge_unknown", non_retryable=True)


async def _look_behind(run: SubscriptionRun, stopped: Stopped, verdict: Verdict) -> Stopped:
    """Nothing will run any more; something may have: paid in the console, or an earlier attempt approved late."""
    state = run.state
    match verdict.finding:
        case Finding.PAID:
            await settle_paid(run, verdict)
            return Stopped(ChargeAtOrder.PAID, stopped.merchant_uid, verdict.payment)
        case Finding.MISMATCH:
            await settle(run, verdict)
            return Stopped(ChargeAtOrder.MISMATCH, stopped.merchant_uid, verdict.payment)
        case Finding.DECLINED:
            # Somebody tried it in the console in vain: no attempt of ours, so it is only written down.
            state.known_failures = sorted({*state.known_failures, *run.failures_seen})
            await run.write("a failed attempt of somebody else", payments=[verdict.payment] if verdict.payment else [])
        case Finding.PENDING:
            return replace(stopped, unfinished=True)
    return stopped


async def _record_the_winner(run: SubscriptionRun, *, ending: bool) -> Stopped:
    """The charge ran first: prove what it came to and record it.

    Raises:
        ApplicationError: `charge_unknown`, when nobody can prove it yet; but a command that ends the subscription goes
            on, and should the charge turn out to be paid, it is given back.
    """
    number = run.merchant_uid
    verdict = await verify(run)
    match verdict.finding:
        case Finding.PAID:
            await settle_paid(run, verdict)
            return Stopped(ChargeAtOrder.PAID, number, verdict.payment)
        case Finding.DECLINED:
            await (write_the_last_decline(run, verdict) if ending else settle(run, verdict))
            return Stopped(ChargeAtOrder.DECLINED, number)
        case Finding.REVOKED:
            # Taken back in PortOne's console between two looks: the command has what it wanted.
            _is_revoked(run)
            return Stopped(ChargeAtOrder.REVOKED, number)
        case Finding.MISMATCH:
            await settle(run, verdict)
            run.state.booked = False
            return Stopped(ChargeAtOrder.MISMATCH, number, verdict.payment)
    run.state.row_look_at = workflow.now() + policies.SCHEDULE_MARGIN
    if not ending:
        message = "the next charge ran, and nobody knows yet what it came to; nothing was changed"
        raise ApplicationError(message, type="charge_unknown", non_retryable=True)
    return _unknown(run, "it ran, and nobody knows yet what it came to")


def _unknown(run: SubscriptionRun, reason: str) -> Stopped:
    """The outcome is open, and that is what is written and told; it is found out after the end."""
    state = run.state
    if state.cycle_state is not CycleState.UNKNOWN:
        state.move(CycleState.UNKNOWN)
        run.note_result(run.result(CycleState.UNKNOWN, None, reason))
        told = telling.charge(run, CycleState.UNKNOWN, None, reason)
        run.tell(EventType.CHARGE_UNKNOWN, f"period {state.cycle}: {reason}", told)
    return Stopped(ChargeAtOrder.UNKNOWN, run.merchant_uid)


async def write_the_last_decline(run: SubscriptionRun, verdict: Verdict) -> None:
    """The charge that an end met was declined: written down, and nothing follows."""
    state, payment = run.state, verdict.payment
    state.move(CycleState.DECLINED)
    state.booked = False
    state.last_failure = verdict.reason
    state.known_failures = sorted({*state.known_failures, *run.failures_seen})
    result = run.result(CycleState.DECLINED, payment, verdict.reason)
    told = telling.charge(run, CycleState.DECLINED, payment, verdict.reason)
    run.tell(EventType.CHARGE_DECLINED, "the last charge was declined", told)
    await run.write("the last charge was declined", results=[result], payments=[payment] if payment else [])


# ---------------------------------------------------------------- a doubt that is read again


def is_in_doubt(run: SubscriptionRun) -> bool:
    """Whether the schedule of the open period is to be read again, since a call about it was not answered."""
    state = run.state
    return state.row_look_at is not None and state.charge is None and state.ended_at is None


async def settle_the_doubt(run: SubscriptionRun) -> None:
    """Read the schedule of the open period again; where nothing is to be charged, it is taken back again."""
    state, number = run.state, run.merchant_uid
    row = await portone.find_schedule(number)
    if row is not None and row.status == "scheduled" and not run.charging:
        await portone.unschedule(run, run.customer_uid, number)
        row = await portone.find_schedule(number)
    state.row_look_at = None
    if row is not None and row.status == "executed":
        await _settle_what_ran(run)
    elif row is not None and row.status != "revoked":
        if run.charging:
            await _stands_as_wanted(run)
        else:
            _look_again_later(run)
    elif calls.may_charge(state.calls, number):
        state.row_look_at = calls.last_end(state.calls, number)
    else:
        await _settle_the_revoke(run)


async def _stands_as_wanted(run: SubscriptionRun) -> None:
    state = run.state
    if not state.booked and state.cycle_state is CycleState.REGISTERED:
        state.booked = True
    if state.cycle_state is CycleState.UNKNOWN and state.parked_reason is None:
        # A cancel had met it in doubt, and was taken back.
        state.move(CycleState.DUE)
        run.note_result(run.result(CycleState.PLANNED, None, "it stands after all"))
        await run.write(f"period {state.cycle} stands at PortOne after all")


def _look_again_later(run: SubscriptionRun) -> None:
    state, ladder = run.state, policies.ASK_AGAIN_AFTER
    state.row_look_at = workflow.now() + ladder[min(state.tidied, len(ladder) - 1)]
    state.tidied += 1


async def _settle_the_revoke(run: SubscriptionRun) -> None:
    """It stands no longer, and nothing can let it stand again: what was told as open is known now."""
    state = run.state
    state.tidied = 0
    if not state.booked:
        return
    _is_revoked(run)
    if run.charging:
        state.plans_again = "its schedule had been taken back"
        return
    run.close_number(CycleState.REVOKED, state.cancel_reason or state.end_reason or "taken back")
    await run.write("the charge was taken back")


async def _settle_what_ran(run: SubscriptionRun) -> None:
    """The schedule has run: what it came to is proven and recorded, or looked for again."""
    verdict = await verify(run)
    failed_before = verdict.finding is Finding.ABSENT and verdict.schedule is not None
    if failed_before and verdict.schedule is not None and verdict.schedule.payment_status == "failed":
        # It ran, was declined, and that is recorded already: what was to come after that does not stand.
        await _settle_the_revoke(run)
        return
    if verdict.finding in _OPEN:
        if run.charging:
            # From here on the looks of a charge that is due find it.
            run.state.due_at = min(run.state.due_at, workflow.now())
        else:
            _look_again_later(run)
        return
    run.state.tidied = 0
    if verdict.finding is Finding.DECLINED and not run.charging:
        await write_the_last_decline(run, verdict)
    elif verdict.finding is Finding.PAID:
        await settle_paid(run, verdict)
    else:
        await settle(run, verdict)


# ---------------------------------------------------------------- planning anew what was stopped


async def plan_again(run: SubscriptionRun) -> None:
    """Let the open cycle be charged again after it was stopped: under the same number where that still means the same.

    Another amount or another card needs another number; the old one was read back as revoked, or never left here.
    So does a charge that must wait, for the buyer's consent or until PortOne lists that far ahead: its revoked row
    cannot be booked again later under the same number by registering it.
    """
    state = run.state
    why, state.plans_again = state.plans_again or "planned anew", None
    if not run.charging or state.charge is not None or state.parked_reason is not None:
        return
    another = state.open_order != run.would_open()
    if state.booked or scheduling.is_under_way(run):
        if not another:
            return
        try:
            stopped = await stop_the_charge(run)
        except ApplicationError:
            # The doubt is settled first; then it is planned anew.
            state.plans_again = why
            return
        if stopped.stands_in_the_way or stopped.unfinished or not run.charging or state.booked:
            return
        another = state.open_order != run.would_open()
    revoked = state.cycle_state is CycleState.REVOKED or _declined_without_dunning(run)
    refused = state.cycle_state is CycleState.DUE
    if another or ((revoked or refused) and consent_need.needs(run)):
        await renumber(run, why)
    elif revoked:
        same = scheduling.can_reschedule(run) and scheduling.within_horizon(run) and _may_run_again(run)
        if same and not calls.may_take_back(state.calls, run.merchant_uid):
            run.note_result(run.result(CycleState.PLANNED, None, "planned again"))
            scheduling.begin(run, anew=True)
        else:
            await renumber(run, why)


def is_to_be_planned(run: SubscriptionRun) -> bool:
    """Whether the charge is to be planned anew: not while its schedule is in doubt, or a charge of ours is open."""
    state = run.state
    return state.plans_again is not None and state.charge is None and state.row_look_at is None


def plans_again_at(run: SubscriptionRun) -> datetime:
    """When it may be planned anew: not while a call about its number may still let it be charged."""
    state = run.state
    if calls.may_charge(state.calls, run.merchant_uid):
        return calls.last_end(state.calls, run.merchant_uid) or AT_ONCE
    return AT_ONCE


def _declined_without_dunning(run: SubscriptionRun) -> bool:
    """Whether the number was declined as the last charge before an end that was then taken back."""
    return run.state.cycle_state is CycleState.DECLINED and run.state.status not in IN_ARREARS


def _may_run_again(run: SubscriptionRun) -> bool:
    return run.state.cycle_state is CycleState.REVOKED or scheduling.number_is_reusable(run)


async def renumber(run: SubscriptionRun, why: str) -> None:
    """Give the open cycle the next number; the caller has proven that the old one is unpaid and can never run."""
    if run.state.open_order is not None and not run.state.number_declined:
        run.close_number(CycleState.SKIPPED, f"replaced: {why}")
    run.state.next_generation()
    await run.write(f"period {run.state.cycle} is charged under another number: {why}", intents=[run.intent()])
