"""An order meets the next charge: PortOne's schedule row is the arbiter of which of the two came first.

`unschedule` names the order number, then the row is read back: `revoked` means that the order won,
`executed` means that the charge won, and then it is proven what it came to (design section 3).
"""

from dataclasses import dataclass, replace

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from billing.domain.events import EventType
from billing.domain.facts import PaymentFact
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.verdict import Finding, Verdict
from workflows import booking, consent_need, policies, telling
from workflows.charge_protocol import look
from workflows.orders import ChargeAtOrder
from workflows.settling import settle, stand, verify
from workflows.subscription_run import SubscriptionRun
from workflows.turnover import settle_paid

LOOK_BEHIND = "look-behind-a-revoke"
"""Patch: a revoked row does not say that nobody paid the number by other means."""

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
    """Stop the open charge if it still can be stopped; what ran instead is booked before this returns.

    With `ending` a decline is only written down, since no retry will follow it.
    """
    stopped, found = Stopped(ChargeAtOrder.NONE_PLANNED, run.merchant_uid), None
    if run.state.booked:
        stopped, found = await _revoke(run, ending=ending)
    if stopped.charge not in (ChargeAtOrder.NONE_PLANNED, ChargeAtOrder.REVOKED):
        return stopped
    if found is None and (run.state.failed_attempts or run.state.sends):
        # Nothing is scheduled; but where something was sent, a late approval must not be left behind.
        found = await _look(run)
    return stopped if found is None else await _look_behind(run, stopped, found)


async def _look(run: SubscriptionRun) -> Verdict:
    return await look(run.expected(), run.state.known_failures, run.note_failures)


async def _revoke(run: SubscriptionRun, *, ending: bool) -> tuple[Stopped, Verdict | None]:
    """Take the schedule back; answers who won, and what payments the number had before the row was read."""
    number, attempts = run.merchant_uid, 0
    while True:
        await booking.revoke(run)
        # Payments before the row: what runs or is booked again in between, the row still shows.
        found = await _look(run) if workflow.patched(LOOK_BEHIND) else None
        row = await booking.find_row(number)
        if row is not None and row.status == "executed":
            return await _book_the_winner(run, ending=ending), None
        if row is None or row.status == "revoked":
            # A row that is gone will not run either.
            run.state.booked = False
            run.state.move(CycleState.REVOKED)
            return Stopped(ChargeAtOrder.REVOKED, number), found
        wait = policies.REGISTER_AGAIN_AFTER[min(attempts, len(policies.REGISTER_AGAIN_AFTER) - 1)]
        attempts += 1
        await run.pause(wait, f"PortOne neither revoked nor ran {number}; asking again")


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


async def _book_the_winner(run: SubscriptionRun, *, ending: bool) -> Stopped:
    """The charge ran first: prove what it came to and book it.

    Raises:
        ApplicationError: `charge_unknown`, when nobody can prove it; but an order that ends the subscription goes on,
            and should the charge turn out to be paid, it is given back.
    """
    number, known_to_be_unknown = run.merchant_uid, run.state.cycle_state is CycleState.UNKNOWN
    verdict = await verify(run)
    for _ in range(0 if known_to_be_unknown else policies.WINNER_LOOKS):
        if verdict.finding not in _OPEN:
            break
        await run.pause(policies.SCHEDULE_MARGIN, f"{number} was executed; looking for its payment")
        verdict = await verify(run)
    match verdict.finding:
        case Finding.PAID:
            await settle_paid(run, verdict)
            return Stopped(ChargeAtOrder.PAID, number, verdict.payment)
        case Finding.DECLINED:
            await (_write_the_last_decline(run, verdict) if ending else settle(run, verdict))
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
        case _:
            await stand(run, CycleState.UNKNOWN, verdict)
    if not ending:
        message = "the next charge ran, and nobody knows yet what it came to; nothing was changed"
        raise ApplicationError(message, type="charge_unknown", non_retryable=True)
    run.state.booked = False
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
    if run.state.open_order is not None and not run.state.number_declined:
        run.close_number(CycleState.SKIPPED, f"replaced: {why}")
    run.state.next_generation()
    await run.write(f"period {run.state.cycle} is charged under another number: {why}", intents=[run.intent()])
