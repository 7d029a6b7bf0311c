"""What the API and `gudok reconcile` show of a reconciliation: its runs, and the differences they found."""

from api.views import Json, instant
from billing.domain.differences import SENTENCES
from billing.ledger import DifferenceRow, RunRow
from workflows.reconciliation.contracts import ReconciliationShown


def difference_view(row: DifferenceRow) -> Json:
    """One difference, with the sentence that says what its kind means."""
    return {
        "id": row.difference_id,
        "kind": row.kind.value,
        "sentence": SENTENCES[row.kind],
        "state": row.state.value,
        "merchant_uid": row.merchant_uid or None,
        "imp_uid": row.imp_uid or None,
        "customer_uid": row.customer_uid or None,
        "subscription_id": row.subscription_id,
        "detail": row.detail or None,
        "portone": row.portone,
        "ledger": row.ledger,
        "amount": row.amount.amount if row.amount else None,
        "currency": row.amount.currency if row.amount else None,
        "first_seen": instant(row.first_seen),
        "last_seen": instant(row.last_seen),
        "rung_at": instant(row.rung_at),
        "resolved_at": instant(row.resolved_at),
        "accepted_at": instant(row.accepted_at),
        "accepted_by": row.accepted_by,
        "accepted_why": row.accepted_why,
    }


def progress_view(shown: ReconciliationShown) -> Json:
    """Where a reconciliation stands."""
    return {
        "run_id": shown.run_id,
        "state": shown.state.value,
        "from": instant(shown.payments.start) if shown.payments else None,
        "to": instant(shown.payments.end) if shown.payments else None,
        "schedules_to": instant(shown.schedules_end),
        "counts": shown.counts,
    }


def run_view(row: RunRow) -> Json:
    """One run, as the ledger keeps it."""
    return {
        "run_id": row.run_id,
        "state": row.state.value,
        "from": instant(row.window_start),
        "to": instant(row.window_end),
        "schedules_to": instant(row.schedules_end),
        "counts": dict(row.counts),
        "error": row.error,
        "started_at": instant(row.started_at),
        "ended_at": instant(row.ended_at),
    }
