"""One charge, sent by us now, brought to a proven end (reliability.md 3.0; design section 2).

What if the answer never comes? It is here: look up; found settles at once; absence counts only after the quiet window
and two looks; then the same order number is sent again. Never a new number, never counted as a decline.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from billing.domain.deadlines import QuietWindow
from billing.domain.facts import PaymentFact
from billing.domain.outcomes import ChargeOutcome
from billing.domain.verdict import Expected, Finding, Verdict, judge
from workflows import policies
from workflows.contracts import ChargeAnswer
from workflows.ports import PaymentActivities

Send = Callable[[int], Awaitable[ChargeAnswer]]
Pause = Callable[[timedelta, str], Awaitable[None]]

Note = Callable[[Sequence[PaymentFact]], None]

CONCLUSIVE = frozenset({Finding.PAID, Finding.DECLINED, Finding.MISMATCH})


def _forget(_rows: Sequence[PaymentFact]) -> None:
    """Nobody wants to know."""


async def charge_to_the_end(
    expected: Expected,
    send: Send,
    *,
    quiet: QuietWindow,
    pause: Pause,
    known_failures: Collection[str] = (),
    first_send_no: int = 1,
    note: Note = _forget,
) -> Verdict:
    """Send a charge and prove what became of it.

    Args:
        expected: What is ordered; the look-ups are judged against it.
        send: Sends the charge with the given `send_no`; its activity lets each number leave once.
        quiet: How long absence proves nothing.
        pause: Waits, and may return early when a webhook rings.
        known_failures: Failures of this order number that are already booked.
        first_send_no: One more than the sends this order number has seen.
        note: Is shown every row of every look.

    Returns:
        PAID, DECLINED or MISMATCH, or ABSENT when it is proven that nothing ran and sending was given up.
    """
    answer = ChargeAnswer(outcome=ChargeOutcome.UNKNOWN)
    for tries, wait in enumerate((*policies.RESEND_AFTER, None)):
        answer = await _send_once(send, first_send_no + tries)
        sent_at = workflow.now()
        verdict = await look(expected, known_failures, note)
        proven = answer.outcome in (ChargeOutcome.DECLINED, ChargeOutcome.NOT_EXECUTED)
        if verdict.finding is Finding.PENDING or (verdict.finding is Finding.ABSENT and not proven):
            verdict = await _outwait(sent_at, quiet, pause=pause, look_now=lambda: look(expected, known_failures, note))
        if verdict.finding in CONCLUSIVE:
            return verdict
        if answer.outcome is ChargeOutcome.DECLINED:
            return Verdict(Finding.DECLINED, None, answer.message or answer.code)
        if not answer.worth_resending:
            break
        if answer.outcome is ChargeOutcome.NOT_EXECUTED and wait is not None:
            await pause(wait, f"{expected.merchant_uid} did not run; sending the same number again")
    return Verdict(Finding.ABSENT, None, answer.message or answer.code or "the charge never ran")


async def look(expected: Expected, known_failures: Collection[str], note: Note = _forget) -> Verdict:
    """Judge what PortOne has for the order number at this moment; `note` is shown every row."""
    rows = await workflow.execute_activity_method(
        PaymentActivities.find_payments,
        expected.merchant_uid,
        summary=f"look up {expected.merchant_uid}",
        **policies.LOOK_UP,
    )
    note(rows)
    return judge(expected, rows, known_failures=known_failures)


async def _send_once(send: Send, send_no: int) -> ChargeAnswer:
    try:
        return await send(send_no)
    except ActivityError as error:
        # The worker died or hung with the request perhaps on its way: that is what unknown means.
        return ChargeAnswer(outcome=ChargeOutcome.UNKNOWN, message=str(error.cause or error))


async def _outwait(
    sent_at: datetime, quiet: QuietWindow, *, pause: Pause, look_now: Callable[[], Awaitable[Verdict]]
) -> Verdict:
    """Look until something is proven; absence is, after the quiet window, by looks that were all made after it."""
    window_ends = sent_at + timedelta(minutes=quiet.minutes)
    for after in policies.QUIET_LOOKS:
        if workflow.now() < sent_at + after < window_ends:
            verdict = await _wait_and_look(sent_at + after, pause, look_now)
            if verdict.finding in CONCLUSIVE:
                return verdict
    first_proof = max(window_ends, workflow.now())
    verdict = Verdict(Finding.PENDING)
    for n in range(quiet.looks):
        verdict = await _wait_and_look(first_proof + timedelta(seconds=quiet.gap_seconds * n), pause, look_now)
        if verdict.finding in CONCLUSIVE:
            return verdict
    while verdict.finding is Finding.PENDING:
        verdict = await _wait_and_look(workflow.now() + policies.PENDING_LOOK, pause, look_now)
    return verdict


async def _wait_and_look(at: datetime, pause: Pause, look_now: Callable[[], Awaitable[Verdict]]) -> Verdict:
    """Look at `at` or after it, and in between whenever a webhook rings: what is found early settles at once."""
    while (left := at - workflow.now()) > timedelta(0):
        await pause(left, "the outcome of the charge is unknown; looking again")
        if workflow.now() < at:
            verdict = await look_now()
            if verdict.finding in CONCLUSIVE:
                return verdict
    return await look_now()
