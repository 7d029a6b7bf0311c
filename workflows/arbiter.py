"""An order meets the next charge: PortOne's schedule row is the arbiter of which of the two came first.

`unschedule` names the order number, then the row is read back: `revoked` means that the order won,
`executed` means that the charge won, and then it is proven what it came to (design section 3).
"""

from dataclasses import dataclass, replace

from temporalio.exceptions import ApplicationError

from billing.domain.facts import PaymentFact
from billing.domain.states import CycleState
from billing.domain.verdict import Finding, Verdict
from workflows import booking, policies
from workflows.charge_protocol import look
from workflows.orders import ChargeAtOrder
from workflows.settling import settle, stand, verify
from workflows.subscription_run import SubscriptionRun
from workflows.turnover import settle_paid

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


async def stop_the_charge(run: SubscriptionRun, *, ending: bool = False) -> Stopped:
    """Stop the open charge if it still can be stopped; what ran instead is booked before this returns.

    With `ending` a decline is only written down, since no retry will follow it.
    """
    merchant_uid = run.merchant_uid
    stopped = Stopped(ChargeAtOrder.NONE_PLANNED, merchant_uid)
    if run.state.booked:
        stopped = await _revoke(run, merchant_uid, ending=ending)
    ran = stopped.charge in (ChargeAtOrder.PAID, ChargeAtOrder.DECLINED, ChargeAtOrder.MISMATCH)
    if not ran and (run.state.failed_attempts or run.state.sends):
        # What was tried before may have been approved late, or by somebody in the console.
        return await _look_at_what_was_tried(run, stopped)
    return stopped


async def _revoke(run: SubscriptionRun, merchant_uid: str, *, ending: bool) -> Stopped:
    attempts = 0
    while True:
        await booking.revoke(run)
        row = await booking.find_row(merchant_uid)
        if row is None:
            run.state.booked = False
            return Stopped(ChargeAtOrder.NONE_PLANNED, merchant_uid)
        if row.status == "revoked":
            run.state.booked = False
            run.state.move(CycleState.REVOKED)
            return Stopped(ChargeAtOrder.REVOKED, merchant_uid)
        if row.status == "executed":
            return await _book_the_winner(run, merchant_uid, ending=ending)
        wait = policies.REGISTER_AGAIN_AFTER[min(attempts, len(policies.REGISTER_AGAIN_AFTER) - 1)]
        attempts += 1
        await run.pause(wait, f"PortOne neither revoked nor ran {merchant_uid}; asking again")


async def _look_at_what_was_tried(run: SubscriptionRun, stopped: Stopped) -> Stopped:
    state = run.state
    verdict = await look(run.expected(), state.known_failures, run.note_failures)
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


async def _book_the_winner(run: SubscriptionRun, merchant_uid: str, *, ending: bool) -> Stopped:
    """The charge ran first: prove what it came to and book it.

    Raises:
        ApplicationError: `charge_unknown`, when nobody can prove it; but an order that ends the subscription goes on,
            and should the charge turn out to be paid, it is given back.
    """
    known_to_be_unknown = run.state.cycle_state is CycleState.UNKNOWN
    verdict = await verify(run)
    for _ in range(0 if known_to_be_unknown else policies.WINNER_LOOKS):
        if verdict.finding not in _OPEN:
            break
        await run.pause(policies.SCHEDULE_MARGIN, f"{merchant_uid} was executed; looking for its payment")
        verdict = await verify(run)
    if verdict.finding in _OPEN:
        await stand(run, CycleState.UNKNOWN, verdict)
        if not ending:
            message = "the next charge ran, and nobody knows yet what it came to; nothing was changed"
            raise ApplicationError(message, type="charge_unknown", non_retryable=True)
        run.state.booked = False
        return Stopped(ChargeAtOrder.UNKNOWN, merchant_uid)
    if verdict.finding is Finding.PAID:
        await settle_paid(run, verdict)
        return Stopped(ChargeAtOrder.PAID, merchant_uid, verdict.payment)
    if verdict.finding is Finding.DECLINED:
        if ending:
            await _write_the_last_decline(run, verdict)
        else:
            await settle(run, verdict)
        return Stopped(ChargeAtOrder.DECLINED, merchant_uid)
    await settle(run, verdict)
    run.state.booked = False
    return Stopped(ChargeAtOrder.MISMATCH, merchant_uid, verdict.payment)


async def _write_the_last_decline(run: SubscriptionRun, verdict: Verdict) -> None:
    run.state.move(CycleState.DECLINED)
    run.state.booked = False
    run.state.last_failure = verdict.reason
    payments = [verdict.payment] if verdict.payment else []
    result = run.result(CycleState.DECLINED, verdict.payment, verdict.reason)
    await run.write("the last charge was declined", results=[result], payments=payments)


async def plan_again(run: SubscriptionRun, why: str) -> None:
    """Let the open cycle be charged again after it was stopped: under the same number where that still means the same.

    Another amount or another card needs another number; the old one was read back as revoked, or never left here.
    """
    state = run.state
    if not run.charging or state.booked:
        return
    if state.open_order != run.would_open():
        await renumber(run, why)
    elif state.cycle_state is CycleState.REVOKED:
        if _may_stand_again(run):
            await booking.stand_again(run)
        else:
            await renumber(run, why)


def _may_stand_again(run: SubscriptionRun) -> bool:
    """Whether the revoked row may be booked again at once: its day is near, and the one that was consented to."""
    agreed = run.state.consent_need
    same_day = agreed is None or agreed.effective_at == run.state.due_at
    return same_day and booking.within_horizon(run) and booking.can_reschedule(run)


async def renumber(run: SubscriptionRun, why: str) -> None:
    """Give the open cycle the next number; the caller has proven that the old one is unpaid and can never run."""
    if run.state.open_order is not None and not run.state.number_declined:
        run.close_number(CycleState.SKIPPED, f"replaced: {why}")
    run.state.next_generation()
    await run.write(f"period {run.state.cycle} is charged under another number: {why}", intents=[run.intent()])
