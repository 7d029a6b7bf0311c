"""An order meets the next charge: PortOne's schedule row is the arbiter of which of the two came first.

`unschedule` names the order number, then the row is read back: `revoked` means that the order won,
`executed` means that the charge won, and then it is proven what it came to (design section 3).
"""

from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow

from billing.domain.events import EventType
from billing.domain.facts import PaymentFact
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.verdict import Finding, Verdict
from workflows import booking, consent_need, policies, telling
from workflows.charge_protocol import look
from workflows.orders import ChargeAtOrder
from workflows.settling import park, settle, verify
from workflows.subscription_run import SubscriptionRun
from workflows.turnover import settle_paid

LOOK_BEHIND = "look-behind-a-revoke"
"""Patch: a revoked row does not say that nobody paid the number by other means."""

IN_ARREARS = frozenset({SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID})


@dataclass(frozen=True, slots=True)
class Stopped:
    """What became of the open charge: which of the two won, under which number, and what was paid."""

    charge: ChargeAtOrder
    merchant_uid: str
    payment: PaymentFact | None = None

    @property
    def stands_in_the_way(self) -> bool:
        """Whether the charge ran, and the period is not paid by it as ordered."""
        return self.charge in (ChargeAtOrder.DECLINED, ChargeAtOrder.MISMATCH, ChargeAtOrder.UNKNOWN)


async def stop_the_charge(run: SubscriptionRun, *, ending: bool = False) -> Stopped:
    """Stop the open charge if it still can be stopped; what ran instead is booked before this returns.

    With `ending` a decline is only written down, since no retry will follow it.
    """
    if not run.state.booked:
        # Nothing is scheduled; but where something was sent, a late approval must not be left behind.
        was_sent = bool(run.state.failed_attempts or run.state.sends)
        return await _look_behind(run, ChargeAtOrder.NONE_PLANNED, look_up=was_sent, ending=ending)
    attempts = 0
    while True:
        await booking.revoke(run)
        row = await booking.find_row(run.merchant_uid)
        if row is not None and row.status == "executed":
            return await _book_the_winner(run, ending=ending)
        if row is None or row.status == "revoked":
            # A row that is gone will not run either.
            look_up = workflow.patched(LOOK_BEHIND)
            return await _look_behind(run, ChargeAtOrder.REVOKED, look_up=look_up, ending=ending)
        wait = policies.REGISTER_AGAIN_AFTER[min(attempts, len(policies.REGISTER_AGAIN_AFTER) - 1)]
        attempts += 1
        await run.pause(wait, f"PortOne neither revoked nor ran {run.merchant_uid}; asking again")


async def _look_behind(run: SubscriptionRun, stopped: ChargeAtOrder, *, look_up: bool, ending: bool) -> Stopped:
    """Nothing will run any more; something may have: paid in the console, or an earlier attempt approved late."""
    state = run.state
    if look_up:
        verdict = await look(run.expected(), state.known_failures, run.note_failures)
        state.known_failures = sorted({*state.known_failures, *run.failures_seen})
        if verdict.finding is Finding.PENDING and not state.booked:
            # An earlier attempt of ours that PortOne has not finished: whoever waits for it goes on waiting.
            return Stopped(ChargeAtOrder.UNKNOWN, run.merchant_uid)
        if verdict.finding in (Finding.PAID, Finding.MISMATCH, Finding.PENDING):
            return await _book(run, verdict, ending=ending)
    if state.booked:
        state.booked = False
        state.parked_reason = None
        state.move(CycleState.REVOKED)
    return Stopped(stopped, run.merchant_uid)


async def _book_the_winner(run: SubscriptionRun, *, ending: bool) -> Stopped:
    """The charge ran first: prove what it came to and book it; what cannot be proven in time is told as unknown."""
    waits_until = workflow.now() + timedelta(minutes=run.start.policy.quiet.minutes)
    verdict = await verify(run)
    while verdict.finding in (Finding.PENDING, Finding.ABSENT) and workflow.now() < waits_until:
        await run.pause(policies.SCHEDULE_MARGIN, f"{run.merchant_uid} was executed; looking for its payment")
        verdict = await verify(run)
    return await _book(run, verdict, ending=ending)


async def _book(run: SubscriptionRun, verdict: Verdict, *, ending: bool) -> Stopped:
    number = run.merchant_uid
    match verdict.finding:
        case Finding.PAID:
            await settle_paid(run, verdict)
            return Stopped(ChargeAtOrder.PAID, number, verdict.payment)
        case Finding.DECLINED if ending:
            await _write_the_last_decline(run, verdict)
            return Stopped(ChargeAtOrder.DECLINED, number)
        case Finding.DECLINED:
            await settle(run, verdict)
            return Stopped(ChargeAtOrder.DECLINED, number)
        case Finding.REVOKED:
            # Taken back in PortOne's console between two looks: the order has what it wanted.
            run.state.booked = False
            run.state.move(CycleState.REVOKED)
            return Stopped(ChargeAtOrder.REVOKED, number)
        case Finding.MISMATCH:
            await settle(run, verdict)
            run.state.booked = False
            return Stopped(ChargeAtOrder.MISMATCH, number, verdict.payment)
        case Finding.PENDING | Finding.ABSENT:
            await park(run, CycleState.UNKNOWN, verdict)
            return Stopped(ChargeAtOrder.UNKNOWN, number)


async def _write_the_last_decline(run: SubscriptionRun, verdict: Verdict) -> None:
    state, payment = run.state, verdict.payment
    state.move(CycleState.DECLINED)
    state.booked = False
    state.last_failure = verdict.reason
    state.known_failures = sorted({*state.known_failures, *run.failures_seen})
    result = run.result(CycleState.DECLINED, payment, verdict.reason)
    told = telling.charge(run, CycleState.DECLINED, payment, verdict.reason)
    run.tell(EventType.CHARGE_DECLINED, "the last charge was declined", told)
    await run.write("the last charge was declined", results=[result], payments=[payment] if payment else [])


async def plan_again(run: SubscriptionRun, why: str) -> None:
    """Let the open cycle be charged again after it was stopped: under the same number where that still means the same.

    Another amount or another card needs another number; the old one was read back as revoked, or never left here.
    So does a charge that must wait, for the buyer's consent or until PortOne lists that far ahead: its revoked row
    cannot be booked again later under the same number by registering it.
    """
    state = run.state
    if not run.charging or state.booked:
        return
    stopped = state.cycle_state is CycleState.REVOKED or _declined_without_dunning(run)
    refused = state.cycle_state is CycleState.DUE
    if state.open_order != run.would_open() or ((stopped or refused) and consent_need.needs(run)):
        await renumber(run, why)
    elif stopped:
        if booking.can_reschedule(run) and booking.within_horizon(run) and _may_run_again(run):
            await booking.stand_again(run)
        else:
            await renumber(run, why)


def _declined_without_dunning(run: SubscriptionRun) -> bool:
    """Whether the number was declined as the last charge before an end that was then taken back."""
    return run.state.cycle_state is CycleState.DECLINED and run.state.status not in IN_ARREARS


def _may_run_again(run: SubscriptionRun) -> bool:
    return run.state.cycle_state is CycleState.REVOKED or booking.number_is_reusable(run)


async def renumber(run: SubscriptionRun, why: str) -> None:
    """Give the open cycle the next number; the caller has proven that the old one is unpaid and can never run."""
    if run.state.open_order is not None:
        run.close_number(CycleState.SKIPPED, f"replaced: {why}")
    run.state.next_generation()
    await run.write(f"period {run.state.cycle} is charged under another number: {why}", intents=[run.intent()])
