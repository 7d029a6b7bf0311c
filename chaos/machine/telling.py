"""What the books of a virtual world say, for people."""

from collections.abc import Iterator

from chaos.machine.ledger import MemoryLedger
from chaos.machine.portone import PortOne


def told(portone: PortOne, ledger: MemoryLedger) -> Iterator[str]:
    """What went wrong at PortOne; then its payments, and the ledger's charges and what stands parked, a line each."""
    yield from (f"  {each}" for each in portone.struck)
    yield "charges:"
    for number, charge in ledger.charges.items():
        yield f"  {number} {charge.state.value} {charge.imp_uid or ''} sends {charge.sends}"
    yield "payments:"
    for row in portone.payments:
        yield f"  {row.imp_uid} {row.merchant_uid} {row.status} {row.amount.amount} -{row.cancelled_amount}"
    yield "parked:"
    for parked in ledger.parked.values():
        yield f"  {parked.kind.value} {parked.merchant_uid} {parked.closed_at or 'stands'}"
