"""With every webhook lost, reconciliation finds what became of schedules, keys, due charges and workflows."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.domain.events import EventType
from billing.ledger.writes import entry
from tests.reconciled import (
    console,
    current,
    found,
    only_portone_moves,
    order_of,
    reconcile,
    rung,
    told_to_look,
)

pytestmark = pytest.mark.soak

TRIAL = {"name": "월간 이용권", "amount": 9900, "interval": "month", "trial_days": 1}
DECLINED = "4518-4212-3456-0002"


async def test_a_schedule_that_portone_has_lost_is_found(deaf):
    uid = await deaf.start()
    number = await current(deaf, uid)
    deaf.account().world.store.drop("schedules", number)
    (row,) = await found(deaf, "schedule_missing")
    assert row.merchant_uid == number
    await told_to_look(deaf, uid, row)


async def test_a_schedule_revoked_in_the_console_is_found(deaf):
    uid = await deaf.start()
    number = await current(deaf, uid)
    await console(deaf, "revoke", merchant_uid=number)
    (row,) = await found(deaf, "schedule_revoked_elsewhere")
    assert row.merchant_uid == number
    await told_to_look(deaf, uid, row)


@pytest.mark.parametrize("days", [-5, 40])
async def test_a_schedule_moved_in_the_console_is_found_wherever_it_was_moved_to(deaf, days):
    uid = await deaf.start()
    number = await current(deaf, uid)
    at = (await deaf.ledger.get_charge(number)).due_at + timedelta(days=days)
    await console(deaf, "move", merchant_uid=number, schedule_at=int(at.timestamp()))
    (row,) = await found(deaf, "schedule_moved_elsewhere")
    assert (row.merchant_uid, row.detail) == (number, f"{at:%Y-%m-%dT%H:%M:%SZ}")
    await told_to_look(deaf, uid, row)


async def test_a_schedule_that_nobody_planned_is_found_on_our_key_and_under_our_number(deaf):
    uid = await deaf.start()
    await current(deaf, uid)
    at = int((datetime.now(UTC) + timedelta(days=3)).timestamp())
    await console(deaf, "register", customer_uid=uid, merchant_uid="by-hand-2", amount=3300, schedule_at=at)
    (row,) = await found(deaf, "schedule_unplanned")
    assert (row.merchant_uid, row.customer_uid) == ("by-hand-2", uid)
    await told_to_look(deaf, uid, row)


async def test_a_schedule_booked_again_after_the_subscription_ended_is_found(deaf):
    uid = await deaf.start()
    number = await current(deaf, uid)
    assert (await deaf.api.post(f"/v1/subscriptions/{uid}/cancel", json={"at": "now"})).status_code == 200
    at = int((datetime.now(UTC) + timedelta(days=3)).timestamp())
    await console(deaf, "move", merchant_uid=number, schedule_at=at)
    (row,) = await found(deaf, "schedule_unplanned")
    assert (row.merchant_uid, row.rung_at) == (number, None)


async def test_a_key_deleted_in_the_console_is_found(deaf):
    uid = await deaf.start()
    number = await current(deaf, uid)
    await console(deaf, "delete_key", customer_uid=uid)
    (row,) = await found(deaf, "key_deleted_elsewhere")
    assert (row.customer_uid, row.merchant_uid) == (uid, "")
    signals = await rung(deaf, uid)
    assert [(name, told.merchant_uid, told.reason) for name, told in signals] == [
        ("look_again", "", "key_deleted_elsewhere")
    ]
    assert await current(deaf, uid) == number


async def test_a_charge_that_is_long_due_and_that_nobody_settled_is_found(deaf):
    uid = await deaf.start(plan=TRIAL, card=DECLINED)
    number = await current(deaf, uid)
    await only_portone_moves(deaf, uid, days=1, hours=3)
    (row,) = await found(deaf, "charge_overdue")
    assert row.merchant_uid == number
    await told_to_look(deaf, uid, row)


async def test_a_living_subscription_whose_workflow_was_terminated_is_found_and_left_to_a_person(deaf):
    uid = await deaf.start()
    await current(deaf, uid)
    await deaf.handle(uid).terminate("by an operator")
    (row,) = await found(deaf, "workflow_missing")
    assert (row.customer_uid, row.rung_at) == (uid, None)


async def test_every_difference_at_once_is_found_once_each(deaf):
    """Eleven subscribers, ten things done behind our back, one run."""
    names = ("paid", "refund", "twice", "early", "revoked", "moved", "unplanned", "key", "lost", "gone", "fine")
    uid = {name: await deaf.start() for name in names}
    number = {name: await current(deaf, uid[name]) for name in names}
    far = int((datetime.now(UTC) + timedelta(days=50)).timestamp())
    await only_portone_moves(deaf, uid["paid"], days=32)
    await console(deaf, "cancel", merchant_uid=await order_of(deaf, uid["refund"]))
    await console(deaf, "pay", customer_uid=uid["twice"], merchant_uid=await order_of(deaf, uid["twice"]), amount=9900)
    await console(deaf, "execute", merchant_uid=number["early"])
    await console(deaf, "revoke", merchant_uid=number["revoked"])
    await console(deaf, "move", merchant_uid=number["moved"], schedule_at=far)
    await console(deaf, "register", customer_uid=uid["unplanned"], merchant_uid="x", amount=100, schedule_at=far)
    await console(deaf, "delete_key", customer_uid=uid["key"])
    deaf.account().world.store.drop("schedules", number["lost"])
    await deaf.handle(uid["gone"]).terminate()
    met = await found(
        deaf,
        "paid_at_portone_unknown_here",
        "refunded_elsewhere",
        "paid_twice",
        "executed_or_retried_elsewhere",
        "schedule_revoked_elsewhere",
        "schedule_moved_elsewhere",
        "schedule_unplanned",
        "key_deleted_elsewhere",
        "schedule_missing",
        "workflow_missing",
    )
    assert {row.customer_uid: len(await rung(deaf, row.customer_uid)) for row in met} == {
        uid[name]: 0 if name == "gone" else 1 for name in names if name != "fine"
    }
    assert await rung(deaf, uid["fine"]) == []


async def test_the_world_is_told_of_a_difference_when_it_opens_and_not_again(deaf, monkeypatch):
    told = []
    write = entry.write_entry

    async def write_and_tell(connection, written):
        told.extend(written.events)
        await write(connection, written)

    monkeypatch.setattr("billing.ledger.differences.write_entry", write_and_tell)
    uid = await deaf.start()
    number = await order_of(deaf, uid)
    await console(deaf, "cancel", merchant_uid=number, amount=900)
    await reconcile(deaf)
    await reconcile(deaf)
    (event,) = told
    assert (event.type, event.customer_uid, event.merchant_uid) == (EventType.DIFFERENCE_FOUND, uid, number)
    assert (event.data["kind"], event.data["amount"], event.data["currency"]) == ("refunded_elsewhere", 900, "KRW")
