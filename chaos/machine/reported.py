"""What the api does with a webhook, and the reconciliation with what nobody knows of: somebody is told to look."""

from billing.domain.both_sides import BOOKED
from billing.domain.facts import PaymentFact
from billing.domain.states import ENDED, CycleState
from billing.domain.subscription.reports import LookAgain, PaymentReported
from billing.domain.verdict import net_amount
from chaos.machine.ledger import MemoryLedger
from chaos.machine.portone import PortOne
from chaos.machine.temporal import VirtualTemporal
from workflows.contracts import fact_workflow_id
from workflows.unexpected_payment.contracts import ReportedFact, StartLateFact

_REPORTED = frozenset({"paid", "failed", "cancelled"})
_ACCOUNTED_FOR = BOOKED | {CycleState.MISMATCH}


def report(row: PaymentFact, ledger: MemoryLedger, temporal: VirtualTemporal) -> None:
    """A webhook: the owner is told, or, where it has ended, a run of its own looks."""
    charge = ledger.charges.get(row.merchant_uid)
    told = {
        "imp_uid": row.imp_uid,
        "merchant_uid": row.merchant_uid,
        "status": row.status,
        "cancellation_id": row.cancellations[-1].cancellation_id if row.cancellations else "",
    }
    if charge is not None and temporal.signal(charge.intent.workflow_id, "payment_reported", PaymentReported(**told)):
        return
    if charge is not None and (charge.state, charge.imp_uid, row.status) == (CycleState.PAID, row.imp_uid, "paid"):
        return
    fact = ReportedFact(imp_uid=row.imp_uid, merchant_uid=row.merchant_uid, status=row.status)
    start = StartLateFact(imp_uid=row.imp_uid)
    temporal.signal_with_start(fact_workflow_id(row.imp_uid), "LateFactWorkflow", start, "fact_reported", fact)


def ring(portone: PortOne, ledger: MemoryLedger, temporal: VirtualTemporal) -> None:
    """The reconciliation: every payment that the ledger has otherwise, or holds unbooked, and every living run."""
    for row in portone.payments:
        charge = ledger.charges.get(row.merchant_uid)
        unbooked = charge is not None and charge.state not in _ACCOUNTED_FOR and net_amount(row) > 0
        if row.status in _REPORTED and (unbooked or ledger.payments.get(row.imp_uid) != row):
            report(row, ledger, temporal)
    for record in ledger.subscriptions.values():
        if record.status not in ENDED:
            temporal.signal(record.workflow_id, "look_again", LookAgain(reason="reconciliation"))
