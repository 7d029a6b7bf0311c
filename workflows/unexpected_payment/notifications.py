"""Webhooks for orders that are not open: looked up together, judged, written down in one step; never a charge.

What is somebody else's to settle is handed on to a workflow of its own (`workflows.unexpected_payment.workflow`), so
that a refund whose outcome is open for days holds nothing up here.
"""

from collections.abc import Sequence

from temporalio import workflow

from billing.domain.facts import PaymentFact
from billing.domain.foreign import ForeignFact, Unexpected, judge_foreign
from billing.domain.known_order import AskedOrder, Known
from billing.domain.merchant_uid import parse_cycle_merchant_uid
from billing.domain.records import Disposition
from billing.domain.subscription import returns
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.reports import PaymentReported, is_shown
from billing.domain.subscription.subscription import Subscription
from workflows import policies
from workflows.ports import FactActivities, LedgerActivities, PaymentActivities
from workflows.subscription.ledger import record
from workflows.unexpected_payment.contracts import ReportedFact

# ---------------------------------------------------------------- looked into together


async def look_into(
    subscription: Subscription, recording: Recording, reports: Sequence[PaymentReported]
) -> list[tuple[ForeignFact, Known]]:
    """Look up what reports say of orders that are not open, and judge it against the ledger.

    Every report has its answer with the next write; what there is to do about a row is left to the caller.
    """
    just_booked = _just_booked(subscription)
    new = [report for report in reports if not (report.status == "paid" and report.imp_uid in just_booked)]
    rows = await _find(list(dict.fromkeys(report.imp_uid for report in new)))
    for report in new:
        if not is_shown(report, rows.get(report.imp_uid)):
            subscription.state.reports.was_not_shown(report)
    returns.record(subscription, recording, workflow.now(), list(rows.values()))
    facts = await judge_rows(recording, list(rows.values()))
    judged = {fact.payment.imp_uid: (fact, known) for fact, known in facts}
    for report in reports:
        recording.answer(report, Disposition.APPLIED if report not in new else _disposition(report, judged))
    return list(judged.values())


async def judge_rows(recording: Recording, rows: Sequence[PaymentFact]) -> list[tuple[ForeignFact, Known]]:
    """Each row that was looked up, judged against what the ledger has of it."""
    if not rows:
        return []
    # What the ledger is asked about is written there first.
    await record(recording)
    known: Sequence[Known] = await workflow.execute_activity_method(
        LedgerActivities.known_orders,
        [AskedOrder(row.merchant_uid, row.imp_uid, row.customer_uid) for row in rows],
        summary=f"what is known of {len(rows)} payments",
        **policies.LEDGER,
    )
    return [(judge_foreign(row, each), each) for row, each in zip(rows, known, strict=True)]


async def hand_on(subscription: Subscription, recording: Recording, payments: Sequence[PaymentFact]) -> None:
    """Let a workflow of its own settle each of these payments; it looks at everything again."""
    if not payments:
        return
    await record(recording)
    facts = [
        ReportedFact(
            imp_uid=row.imp_uid,
            merchant_uid=row.merchant_uid,
            status=row.status,
            handed_on_by=subscription.start.subscription_id,
        )
        for row in payments
    ]
    await workflow.execute_activity_method(
        FactActivities.report_facts,
        facts,
        summary=f"hand on {', '.join(row.imp_uid for row in payments)}"[:200],
        **policies.LEDGER,
    )
    recording.close_reports(workflow.now())


def is_an_older_number_of_this_period(subscription: Subscription, merchant_uid: str) -> bool:
    """Whether the open period had this order number before the one it has now."""
    parsed = parse_cycle_merchant_uid(merchant_uid)
    if parsed is None or subscription.state.ended_at is not None:
        return False
    incarnation, cycle, generation = parsed
    same_period = (incarnation, cycle) == (subscription.start.subscription_id, subscription.state.period.cycle)
    return same_period and generation < subscription.state.period.generation


def is_to_be_acted_on(subscription: Subscription, fact: ForeignFact) -> bool:
    """Whether there is something to do about it beyond writing down what PortOne shows."""
    number = fact.payment.merchant_uid
    return (
        fact.says_something
        or number == subscription.terms.merchant_uid
        or (fact.held > 0 and is_an_older_number_of_this_period(subscription, number))
    )


async def _find(imp_uids: list[str]) -> dict[str, PaymentFact]:
    if not imp_uids:
        return {}
    rows: Sequence[PaymentFact] = await workflow.execute_activity_method(
        PaymentActivities.find_reported,
        imp_uids,
        summary=f"look up {imp_uids[0] if len(imp_uids) == 1 else f'{len(imp_uids)} payments'}",
        **policies.ASK,
    )
    return {row.imp_uid: row for row in rows}


def _disposition(report: PaymentReported, judged: dict[str, tuple[ForeignFact, Known]]) -> Disposition:
    fact, _ = judged.get(report.imp_uid, (None, None))
    if fact is None or fact.payment.merchant_uid != report.merchant_uid:
        return Disposition.MISMATCH
    return Disposition.APPLIED if fact.says_something else Disposition.STALE


def _just_booked(subscription: Subscription) -> set[str | None]:
    return {subscription.state.paid.last_imp_uid, *(order.imp_uid for order in subscription.state.paid.orders)}


def pays_late(fact: ForeignFact) -> bool:
    """Whether the payment holds money for an order that had been given up."""
    return fact.unexpected is Unexpected.LATE
