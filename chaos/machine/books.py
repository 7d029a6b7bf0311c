"""What the audit judges a world by: the ledger, PortOne's books, the runs, and what was asked for."""

from collections.abc import Sequence
from datetime import UTC, datetime

from billing.domain.audit import Books
from billing.domain.audit.books import Journal, Operation, ProviderBooks, Run
from billing.domain.clock import Clock
from billing.domain.subscription.start import StartSubscription
from chaos.machine.ledger import MemoryLedger
from chaos.machine.portone import PortOne
from chaos.machine.temporal import VirtualTemporal

BEGUN = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
"""When every world begins."""


def books_of(
    now: datetime,
    ledger: MemoryLedger,
    portone: PortOne,
    temporal: VirtualTemporal,
    operations: Sequence[Operation],
) -> Books:
    """All books of one moment."""
    runs = [
        Run(
            workflow_id=run.workflow_id,
            running=run.running,
            started_at=BEGUN,
            subscription_id=run.args[0].subscription_id if isinstance(run.args[0], StartSubscription) else None,
            events=run.events,
        )
        for run in temporal.runs.values()
    ]
    return Books(
        clock=Clock(now),
        ledger=ledger.books(),
        provider=ProviderBooks(payments=portone.payments, schedules=portone.schedules),
        runs=tuple(runs),
        journal=Journal(operations=tuple(operations)),
    )
