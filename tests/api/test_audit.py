"""`gudok audit` over real parts: silent where every promise holds, and exact where one was broken from outside."""

import contextlib
import io
import json
import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console
from sqlalchemy import delete, update

from api.audit_command import EVERYTHING_HOLDS, NOT_AUDITED, SOMETHING_DOES_NOT, run_audit
from billing.domain.audit import INVARIANTS, Leeways
from billing.ledger.engine import writing
from billing.ledger.tables import charge_results, charges, payments, webhook_inbox
from tests.facts import current, until
from tests.journeys.owing import SOFT_TWICE, declined
from tests.journeys.parked import mispriced
from tests.line import on_a_line
from tests.reconciled import console, only_portone_moves, order_of, silence

NOW = Leeways(settle=timedelta(0))


async def audited(stack, leeways=NOW, **options):
    """(exit code, the document) of one audit."""
    out = io.StringIO()
    code = await run_audit(
        stack.settings,
        Console(file=out, width=200),
        leeways,
        as_json=True,
        temporal=stack.temporal,
        task_queue=stack.task_queue,
        **options,
    )
    return code, json.loads(out.getvalue())


async def broken(stack, **options):
    """The names of the invariants that do not hold, each with its violations."""
    code, document = await audited(stack, **options)
    found = {each["name"]: each["violations"] for each in document["invariants"] if each["holds"] is False}
    assert code == (SOMETHING_DOES_NOT if found else EVERYTHING_HOLDS)
    return found


# ---------------------------------------------------------------- silence


async def lives(stack):
    """A few of everything: paid for months, declined and paid, refunded, paused, canceled, changed, parked."""
    paid = await stack.start()
    await stack.advance(paid, days=95)
    owed, _ = await declined(stack, SOFT_TWICE)
    await stack.advance(owed, days=6)
    back = await stack.start()
    await stack.api.post(f"/v1/payments/{await order_of(stack, back)}/refunds", json={"amount": 100, "reason": "ask"})
    paused = await stack.start()
    await stack.order(paused, "pause", at="now")
    ended = await stack.start()
    await stack.order(ended, "cancel", at="now", refund="prorated")
    larger = {"name": "월간 이용권", "amount": 14900, "interval": "month"}
    changed = await stack.start()
    await stack.order(changed, "change-plan", plan=larger, at="now")
    await stack.advance(changed, days=40)
    parked, _ = await mispriced(stack)
    return paid, owed, back, paused, ended, changed, parked


@pytest.mark.soak
async def test_where_every_promise_holds_nothing_is_found_whatever_was_lived_through(stack):
    uids = await lives(stack)
    for uid in uids:
        await stack.settled(uid)
    assert await broken(stack) == {}
    code, document = await audited(stack)
    assert code == EVERYTHING_HOLDS
    assert document["read"]["subscriptions"] == len(uids)
    judged = {each["name"]: each["holds"] for each in document["invariants"]}
    assert set(judged) == {each.name for each in INVARIANTS}
    assert sorted(name for name, holds in judged.items() if holds is None) == [
        "acknowledged_is_kept", "authentic", "known_routes", "no_card_data", "no_input_breaks", "replays",
        "rests_after_faults", "tokens_kept",
    ]  # fmt: skip


async def test_the_table_is_for_people_and_quiet_says_nothing_where_nothing_is_wrong(stack):
    await stack.start()
    said = []
    for quiet in (False, True):
        out = io.StringIO()
        options = {"temporal": stack.temporal, "task_queue": stack.task_queue, "quiet": quiet}
        assert await run_audit(stack.settings, Console(file=out, width=200), NOW, **options) == EVERYTHING_HOLDS
        said.append(out.getvalue())
    assert "everything that could be judged holds" in said[0]
    assert "not judged without a journal of what was asked" in said[0]
    assert said[1] == ""


# ---------------------------------------------------------------- broken from outside


async def test_a_double_charge_is_found_with_both_payments(stack):
    await silence(stack)
    uid = await stack.start()
    number = await order_of(stack, uid)
    account = stack.account()
    (row,) = account.world.payments_of(number)
    account.world.keep_payment({**row, "imp_uid": "imps_twin", "paid_at": row["paid_at"] - 5})
    found = await broken(stack)
    (violation,) = found["paid_at_most_once"]
    assert set(violation["imp_uids"]) == {row["imp_uid"], "imps_twin"}
    assert set(found) == {"paid_at_most_once", "books_agree"}


async def test_a_charge_that_an_old_loop_made_for_the_same_period_is_found(stack):
    await silence(stack)
    uid = await stack.start()
    await console(stack, "pay", customer_uid=uid, merchant_uid="old-loop-7", amount=9900)
    assert set(await broken(stack)) == {"paid_by_one_order"}


async def test_money_on_a_key_that_has_ended_is_found_while_nobody_gave_it_back(stack):
    await silence(stack)
    uid = await stack.start()
    await stack.order(uid, "cancel", at="now")
    await only_portone_moves(stack, uid, hours=1)
    await stack.emulator.post("/emulator/window/billing-key", json={"customer_uid": uid, "card_number": "4" * 16})
    row = await console(stack, "pay", customer_uid=uid, merchant_uid="old-loop-9", amount=500)
    (violation,) = (await broken(stack))["no_charge_on_an_ended_key"]
    assert violation["imp_uids"] == [row["imp_uid"]]
    await console(stack, "cancel", merchant_uid="old-loop-9")
    assert await broken(stack) == {}


async def test_a_payment_that_the_ledger_lost_is_found(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    async with writing(stack.ledger.engine) as connection:
        await connection.execute(delete(payments).where(payments.c.merchant_uid == number))
    assert set(await broken(stack)) == {"books_agree"}


async def test_a_charge_that_is_booked_in_another_amount_is_found(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    async with writing(stack.ledger.engine) as connection:
        await connection.execute(update(charges).where(charges.c.merchant_uid == number).values(amount=1))
    assert set(await broken(stack)) == {"paid_as_ordered"}


async def test_a_state_that_nothing_tells_of_is_found(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    async with writing(stack.ledger.engine) as connection:
        await connection.execute(delete(charge_results).where(charge_results.c.merchant_uid == number))
    assert set(await broken(stack)) == {"every_state_told"}


async def test_a_webhook_that_came_to_nothing_is_found_once_its_time_is_over(stack):
    uid = await stack.start()
    await stack.advance(uid, days=32)

    async def answered():
        rows = await stack.ledger.list_webhooks()
        return bool(rows) and all(row.disposition is not None for row in rows)

    assert await until(answered)
    async with writing(stack.ledger.engine) as connection:
        await connection.execute(update(webhook_inbox).values(disposition=None))
    assert set(await broken(stack, leeways=replace(NOW, webhook=timedelta(0)))) == {"webhooks_accounted"}


async def test_a_run_that_was_terminated_is_found_before_anything_is_due(stack):
    uid = await stack.start()
    await current(stack, uid)
    await stack.handle(uid).terminate("by an operator")
    (violation,) = (await broken(stack))["no_run_astray"]
    assert (violation["customer_uid"], violation["workflow_id"]) == (uid, f"subscription/{uid}")


async def test_what_stands_still_is_found_with_what_is_due(stack):
    await silence(stack)
    uid = await stack.start()
    await current(stack, uid)
    await stack.stop_worker()
    await only_portone_moves(stack, uid, days=40)
    found = await broken(stack)
    assert {"nothing_due_unlisted"} <= set(found) <= {"nothing_due_unlisted", "books_agree"}


# ---------------------------------------------------------------- what is no violation


async def test_what_happens_while_it_is_read_is_looked_at_again_and_is_no_violation(stack, monkeypatch):
    """A refund is made between the list of PortOne and the reading of the ledger."""
    uid = await stack.start()
    number = await order_of(stack, uid)
    read = type(stack.ledger.audit).books
    made = []

    async def refunding(self, *arguments):
        if not made:
            made.append(number)
            answer = await stack.api.post(f"/v1/payments/{number}/refunds", json={"amount": 100, "reason": "ask"})
            assert answer.status_code == 201, answer.text
        return await read(self, *arguments)

    monkeypatch.setattr(type(stack.ledger.audit), "books", refunding)
    assert await broken(stack) == {}
    assert made


async def test_a_payment_outside_of_the_window_is_asked_for_by_its_own_number(stack):
    """PortOne lists a payment by the instant of its present status, which may be any."""
    uid = await stack.start()
    world = stack.account().world
    (row,) = world.payments_of(await order_of(stack, uid))
    world.change_payment({**row, "paid_at": row["paid_at"] - 50 * 86_400})
    # It is not even suspected: no order is looked up by its own number.
    await stack.fault(path="findAll", kind="500_before")
    code, document = await audited(stack)
    assert (code, document["read"]["payments at PortOne"]) == (EVERYTHING_HOLDS, 1)
    await stack.emulator.delete("/emulator/faults")
    world.store.drop("payments", row["imp_uid"])
    assert set(await broken(stack)) == {"books_agree"}


async def test_the_merchants_other_business_is_none_of_ours(stack):
    await stack.emulator.post("/emulator/window/billing-key", json={"customer_uid": "shop", "card_number": "4" * 16})
    for n in range(3):
        await console(stack, "pay", customer_uid="shop", merchant_uid=f"shop-{n}", amount=500)
    assert await broken(stack) == {}


# ---------------------------------------------------------------- what cannot be read


async def test_a_damaged_file_is_a_violation_and_not_a_trace(stack):
    await stack.start()
    await stack.stop_worker()
    another = "(SELECT rootpage FROM sqlite_master WHERE name = 'ix_payments_merchant_uid')"
    with contextlib.closing(sqlite3.connect(stack.ledger.file)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute(f"UPDATE sqlite_master SET rootpage = {another} WHERE name = 'ix_payments_customer_uid'")
        connection.commit()
    found = await broken(stack)
    assert set(found) == {"database_whole"}
    assert found["database_whole"][0]["sentence"].startswith("the ledger's database is damaged")


async def test_portone_or_temporal_away_is_said_and_nothing_counts_as_fine(stack):
    await stack.start()
    async with on_a_line(stack) as line:
        line.cut()
        away = replace_temporal(stack)
        code, document = await audited(away)
    assert (code, document["audited"]) == (NOT_AUDITED, False)
    await stack.fault(path="status", kind="500_before")
    code, document = await audited(stack)
    assert (code, document["audited"]) == (NOT_AUDITED, False)
    assert "500" in document["reason"]


def replace_temporal(stack):
    return replace(stack, temporal=stack.app.state.desk.temporal)
