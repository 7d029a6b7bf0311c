"""Uniqueness stands in the schema: whoever writes past the code is stopped by the database itself."""

from typing import Any

import pytest
from sqlalchemy import Table, insert

from billing.domain.records import ChargeKind, LedgerEntry, RefundState
from billing.domain.states import CycleState
from billing.ledger import Ledger, LedgerConflictError, LedgerError, ReceivedWebhook
from billing.ledger.engine import writing
from billing.ledger.tables import billing_keys, charges, payments, refunds, webhook_inbox
from tests.ledger.stories import LIFE, day, intent, order, paid, payment

NOW = {"created_at": day(0), "updated_at": day(0)}
CHARGE = {
    "merchant_uid": "m1",
    "workflow_id": "w",
    "kind": ChargeKind.CYCLE,
    "subscription_id": LIFE,
    "cycle": 1,
    "generation": 0,
    "amount": 1,
    "currency": "KRW",
    "name": "n",
    "tax_free": 0,
    "due_at": day(0),
    "state": CycleState.PLANNED,
    "sends": 0,
    **NOW,
}
PAYMENT = {
    "imp_uid": "i1",
    "merchant_uid": "m1",
    "status": "paid",
    "amount": 1,
    "currency": "KRW",
    "cancelled_amount": 0,
    **NOW,
}
REFUND = {
    "refund_id": "r1",
    "merchant_uid": "m1",
    "imp_uid": "i1",
    "amount": 1,
    "currency": "KRW",
    "state": RefundState.INTENT,
    "cancellation_id": "c1",
    "sends": 0,
    "requested_at": day(0),
    "state_at": day(0),
    **NOW,
}
HOOK = {
    "imp_uid": "i1",
    "merchant_uid": "m1",
    "status": "paid",
    "cancellation_id": "",
    "route": "token",
    "count": 1,
    "first_at": day(0),
    "last_at": day(0),
}
PAID = {"state": CycleState.PAID, "paid_at": day(0)}


async def put(ledger: Ledger, table: Table, row: dict[str, Any]) -> None:
    async with writing(ledger.engine) as connection:
        await connection.execute(insert(table).values(**row))


@pytest.mark.parametrize(
    ("table", "first", "second"),
    [
        pytest.param(charges, CHARGE, CHARGE, id="one merchant_uid"),
        pytest.param(
            charges,
            {**CHARGE, "imp_uid": "i1"},
            {**CHARGE, "imp_uid": "i1", "merchant_uid": "m2", "cycle": 2},
            id="one imp_uid among charges",
        ),
        pytest.param(
            charges,
            {**CHARGE, **PAID},
            {**CHARGE, **PAID, "merchant_uid": "m2", "generation": 1},
            id="one paid row per subscription and cycle",
        ),
        pytest.param(
            charges,
            {**CHARGE, "state": CycleState.MISMATCH, "paid_at": day(0)},
            {**CHARGE, **PAID, "merchant_uid": "m2", "generation": 1},
            id="a paid row in doubt counts as one",
        ),
        pytest.param(charges, CHARGE, {**CHARGE, "merchant_uid": "m2"}, id="one order number per generation"),
        pytest.param(payments, PAYMENT, {**PAYMENT, "merchant_uid": "m2"}, id="one imp_uid among payments"),
        pytest.param(refunds, REFUND, {**REFUND, "cancellation_id": "c2"}, id="one refund_id"),
        pytest.param(refunds, REFUND, {**REFUND, "refund_id": "r2"}, id="one cancellation_id"),
        pytest.param(webhook_inbox, HOOK, HOOK, id="one row for each thing a webhook said"),
    ],
)
async def test_the_schema_refuses_the_second(
    ledger: Ledger, table: Table, first: dict[str, Any], second: dict[str, Any]
) -> None:
    await put(ledger, table, first)
    with pytest.raises(LedgerConflictError):
        await put(ledger, table, second)


@pytest.mark.parametrize(
    ("table", "row"),
    [
        pytest.param(charges, {**CHARGE, "amount": -1}, id="a negative charge"),
        pytest.param(charges, {**CHARGE, "cycle": None}, id="a subscription's charge without a cycle"),
        pytest.param(charges, {**CHARGE, "state": CycleState.PAID}, id="paid at no time"),
        pytest.param(refunds, {**REFUND, "amount": 0}, id="a refund of nothing, which PortOne reads as everything"),
        pytest.param(payments, {**PAYMENT, "card_number": "4330121234561234"}, id="a card number in the clear"),
        pytest.param(
            billing_keys,
            {"customer_uid": "c", "deleted": False, "card_number": "4330-12**-****-1234", **NOW},
            id="more of a card number than its last four digits",
        ),
    ],
)
async def test_the_schema_refuses_what_makes_no_sense(ledger: Ledger, table: Table, row: dict[str, Any]) -> None:
    with pytest.raises(LedgerError) as refused:
        await put(ledger, table, row)
    assert not isinstance(refused.value, LedgerConflictError)


async def test_a_refunded_row_makes_room_for_another_paid_one(ledger: Ledger) -> None:
    await put(ledger, charges, {**CHARGE, "state": CycleState.REFUNDED, "paid_at": day(0)})
    await put(ledger, charges, {**CHARGE, **PAID, "merchant_uid": "m2", "generation": 1})
    assert len(await ledger.list_charges(subscription_id=LIFE)) == 2


async def test_charges_without_a_subscription_are_each_paid(ledger: Ledger) -> None:
    for number in ("p1", "p2"):
        await put(ledger, charges, {**CHARGE, **PAID, "merchant_uid": number, "subscription_id": None, "cycle": None})
    assert len(await ledger.list_charges()) == 2


@pytest.mark.parametrize("name", ["x" * 256, "a\x00b", "a\nb", "\ud800"])
async def test_both_databases_refuse_the_same_ids(ledger: Ledger, name: str) -> None:
    with pytest.raises(LedgerError, match="an id has at most"):
        await ledger.record(LedgerEntry(payments=(payment(name),)))
    with pytest.raises(ValueError, match="merchant_uid: an id has at most"):
        ReceivedWebhook("imps_1", name, "paid", "token")


async def test_an_error_names_ids_and_rules_but_never_a_value(ledger: Ledger) -> None:
    """PostgreSQL's details hold the whole failing row: the driver's error is not chained."""
    secret = "김비밀 010-9999-8888"
    await ledger.record(LedgerEntry(intents=(intent(),)))
    await ledger.record(paid())
    wrong = {**CHARGE, "merchant_uid": "m9", "generation": 5, "imp_uid": "imps_1", "name": secret}
    for row in (
        wrong,
        {**wrong, "imp_uid": None, "amount": -1},
        {**wrong, "cycle": 2**70},
        {**wrong, "due_at": secret},
    ):
        with pytest.raises(LedgerError) as refused:
            await put(ledger, charges, row)
        assert refused.value.__cause__ is None
        assert refused.value.__suppress_context__
        assert secret not in str(refused.value)
        assert str(2**70) not in str(refused.value)
    assert order() not in str(refused.value)
