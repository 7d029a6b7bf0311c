"""What a proof rests on, read: the ledger's rows of an order and of its period, and PortOne's, each looked up now."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from activities.examination import payment_facts, schedule_facts
from billing.domain.audit.books import Charge, Refund
from billing.domain.facts import PaymentFact
from billing.domain.merchant_uid import parse_cycle_merchant_uid
from billing.domain.parked import DecisionRecord
from billing.domain.proof import OrderAtPortOne, ProofBooks
from billing.domain.records import SubscriptionRecord
from billing.domain.verdict import net_amount
from billing.ledger import ChargeRow, Ledger, PaymentRow, RefundRow, ResultRow
from billing.portone import PortOneClient

_MOST_PAGES = 50
"""Pages of twenty payments of one key: a thousand charges of one card."""


@dataclass(frozen=True, slots=True)
class LedgerRows:
    """What the ledger has of an order, row by row, as it is shown beside the proof."""

    charge: ChargeRow | None
    results: tuple[ResultRow, ...]
    payments: tuple[PaymentRow, ...]
    refunds: tuple[RefundRow, ...]
    decisions: tuple[DecisionRecord, ...]


async def read_proof(client: PortOneClient, ledger: Ledger, merchant_uid: str) -> tuple[ProofBooks, LedgerRows]:
    """Both sides of one order number."""
    rows = await _ledger_rows(ledger, merchant_uid)
    charge = rows.charge
    parsed = parse_cycle_merchant_uid(merchant_uid)
    life = charge.subscription_id if charge is not None else parsed[0] if parsed else None
    living = await ledger.reconciliation.subscription(life) if life else None
    siblings = await _siblings(ledger, charge)
    there = {
        number: await _at_portone(client, number) for number in (merchant_uid, *(s.merchant_uid for s in siblings))
    }
    books = ProofBooks(
        merchant_uid=merchant_uid,
        charge=None if charge is None else _charge(charge),
        siblings=tuple(_charge(each) for each in siblings),
        subscription=living.record if living is not None else None,
        refunds=tuple(_refund(each) for each in rows.refunds),
        there=there,
        strangers=await _strangers(client, ledger, charge, living.record if living else None, there[merchant_uid]),
    )
    return books, rows


async def _ledger_rows(ledger: Ledger, merchant_uid: str) -> LedgerRows:
    charge = await ledger.get_charge(merchant_uid)
    life = None
    if charge is not None and charge.subscription_id is not None:
        life = await ledger.reconciliation.subscription(charge.subscription_id)
    taken = await ledger.parking.decisions(life.record.customer_uid) if life is not None else []
    return LedgerRows(
        charge=charge,
        results=tuple(await ledger.list_results(merchant_uid)),
        payments=tuple(await ledger.list_payments(merchant_uid)),
        refunds=tuple(await ledger.list_refunds(merchant_uid)),
        decisions=tuple(each for each in taken if each.merchant_uid == merchant_uid),
    )


async def _siblings(ledger: Ledger, charge: ChargeRow | None) -> list[ChargeRow]:
    """The other charges of the same period."""
    if charge is None or charge.subscription_id is None or _charge(charge).period is None:
        return []
    rows = await ledger.list_charges(subscription_id=charge.subscription_id)
    period = _charge(charge).period
    return [row for row in rows if row.merchant_uid != charge.merchant_uid and _charge(row).period == period]


async def _at_portone(client: PortOneClient, merchant_uid: str) -> OrderAtPortOne:
    payments = payment_facts(await client.find_all_payments(merchant_uid))
    schedule = await client.find_schedule(merchant_uid)
    found = schedule_facts([schedule]) if schedule is not None else ()
    return OrderAtPortOne(payments, found[0] if found else None)


async def _strangers(
    client: PortOneClient,
    ledger: Ledger,
    charge: ChargeRow | None,
    record: SubscriptionRecord | None,
    there: OrderAtPortOne,
) -> tuple[PaymentFact, ...] | None:
    """What the key paid for nobody here, from the payment of the order until the next period was due."""
    paid = next((row for row in there.holding if row.paid_at is not None), None)
    if charge is None or charge.cycle is None or paid is None or paid.paid_at is None or paid.customer_uid is None:
        return None
    until = await _next_due(ledger, charge, record)
    rows = await _payments_of_key(client, paid.customer_uid)
    within = [
        row
        for row in rows
        if net_amount(row) and row.paid_at is not None and row.paid_at >= paid.paid_at and row.imp_uid != paid.imp_uid
        if until is None or row.paid_at < until
    ]
    known = {row.merchant_uid for row in within if await ledger.get_charge(row.merchant_uid) is not None}
    return tuple(row for row in within if row.merchant_uid not in known)


async def _next_due(ledger: Ledger, charge: ChargeRow, record: SubscriptionRecord | None) -> datetime | None:
    if charge.subscription_id is not None:
        rows = await ledger.list_charges(subscription_id=charge.subscription_id)
        later = [row.due_at for row in rows if row.cycle is not None and row.cycle > (charge.cycle or 0)]
        if later:
            return min(later)
    return record.ended_at if record is not None else None


async def _payments_of_key(client: PortOneClient, customer_uid: str) -> Iterable[PaymentFact]:
    found: dict[str, PaymentFact] = {}
    number = 1
    for _ in range(_MOST_PAGES):
        page = await client.list_billing_key_payments(customer_uid, page=number)
        found |= {row.imp_uid: row for row in payment_facts(page.items)}
        if page.next <= 0:
            break
        number = page.next
    return found.values()


def _charge(row: ChargeRow) -> Charge:
    return Charge(**{name: getattr(row, name) for name in Charge.__dataclass_fields__})


def _refund(row: RefundRow) -> Refund:
    return Refund(
        refund_id=row.refund_id,
        merchant_uid=row.merchant_uid,
        imp_uid=row.imp_uid,
        amount=row.amount.amount,
        state=row.state,
    )
