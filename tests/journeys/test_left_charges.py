"""A charge whose outcome nobody knows when its subscription is over: parked, looked up daily, found out or decided."""

import pytest

from tests.facts import decide, fact, gone_back, kept, parked, state_of, told, until
from tests.journeys.parked import decisions_of, went_by
from tests.reconciled import reconcile

SOON = {"days": 1, "hours": 1}


async def never_decided(stack, uid="undecided_1"):
    """A start whose payment PortOne leaves undecided, canceled on the way; answers its order, and the row in the list.

    PortOne is asked on for five days before it is left to be looked up daily.
    """
    stack.quick()
    await stack.fault(path="again", kind="undecided", count=1)
    await stack.start(uid, expect=202)
    answer = await stack.order(uid, "cancel", at="now")
    assert (answer["status"], answer["charge"]) == ("incomplete_expired", "unknown")
    await stack.advance(uid, days=6)
    assert (await stack.handle(uid).result())["status"] == "incomplete_expired"
    (row,) = await parked(stack, uid)
    assert (row["kind"], set(row["decisions"])) == ("charge_left", {"not_paid", "keep"})
    return row["merchant_uid"], row


def watcher_of(row):
    return f"left-charge/{row['merchant_uid']}"


def portone_says(stack, number, **changes):
    """Let PortOne decide the payment of an order."""
    world = stack.account().world
    (payment,) = world.payments_of(number)
    return world.change_payment({**payment, **changes})


def portone_approves(stack, number):
    """Let PortOne approve the payment of an order, and lose the webhook that says so."""
    (payment,) = stack.account().world.payments_of(number)
    return portone_says(stack, number, status="paid", paid_at=payment["started_at"])


async def test_what_portone_does_not_decide_before_the_end_stands_parked_and_is_looked_up_daily(stack):
    number, row = await never_decided(stack)
    assert "9,900 KRW" in row["reason"]
    assert (await stack.events("undecided_1"))[-1] == "subscription.parked"
    assert await went_by(stack, watcher_of(row), days=3) is None
    assert [each["parked_id"] for each in await parked(stack, "undecided_1")] == [row["parked_id"]]
    assert await state_of(stack, number) == "unknown"
    (payment,) = stack.account().world.payments_of(number)
    portone_says(stack, number, status="failed", fail_reason="한도초과", failed_at=payment["started_at"])
    assert await went_by(stack, watcher_of(row), **SOON) == "nothing_new"
    assert await parked(stack) == []
    assert (await stack.ledger.get_charge(number)).state == "declined"


async def test_what_turns_out_to_be_paid_after_the_end_goes_back(stack):
    number, row = await never_decided(stack)
    payment = portone_approves(stack, number)
    assert await went_by(stack, watcher_of(row), **SOON) == "noted"
    assert (await fact(stack, payment["imp_uid"]))["state"] == "refunded"
    assert await kept(stack, number) == 0
    assert await state_of(stack, number) == "refunded"
    await told(stack, "undecided_1", "refund.succeeded")
    assert await parked(stack) == []


@pytest.mark.parametrize(
    ("decision", "state"), [("not_paid", "declined"), pytest.param("keep", "skipped", marks=pytest.mark.soak)]
)
async def test_a_person_may_say_that_it_was_not_paid_and_what_is_paid_after_all_goes_back(stack, decision, state):
    number, row = await never_decided(stack)
    refused = await decide(stack, "undecided_1", "refund", expect=409)
    assert refused["code"] == "not_allowed"
    await decide(stack, "undecided_1", decision, reason="PG에 확인함")
    assert await parked(stack) == []
    assert await state_of(stack, number) == state
    assert await decisions_of(stack, "undecided_1") == [("charge_left", decision, "park@example.com", "PG에 확인함")]
    assert (await stack.temporal.get_workflow_handle(watcher_of(row)).result()) in ("noted", "kept")
    payment = portone_approves(stack, number)
    await reconcile(stack)
    assert (await fact(stack, payment["imp_uid"]))["state"] == "refunded"
    assert await kept(stack, number) == 0


@pytest.mark.soak
async def test_a_decision_that_nothing_was_paid_is_refused_where_portone_shows_a_payment(stack):
    number, _ = await never_decided(stack)
    payment = portone_approves(stack, number)
    refused = await decide(stack, "undecided_1", "not_paid", expect=409)
    assert (refused["code"], payment["imp_uid"] in refused["detail"]) == ("charged_meanwhile", True)
    assert (await fact(stack, payment["imp_uid"]))["state"] == "refunded"
    assert await kept(stack, number) == 0
    assert await parked(stack) == []


@pytest.mark.parametrize(
    "hidden",
    [
        pytest.param(False, id="shown", marks=pytest.mark.soak),
        pytest.param(True, id="hidden for two days"),
    ],
)
async def test_a_first_charge_of_another_amount_starts_nothing_and_what_it_took_goes_back(stack, hidden):
    execution, world = stack.account().execution, stack.account().world
    attempt = execution.attempt
    execution.attempt = lambda order, *rest, **more: attempt({**order, "amount": 100}, *rest, **more)
    await stack.fault(path="webhook", kind="drop_webhook")
    if hidden:
        # It is shown while the start is judged, and then no more.
        await stack.fault(path="findAll", kind="frozen", after=1)
    await stack.start("mispriced_1", expect=409)
    assert (await stack.subscription("mispriced_1"))["status"] == "incomplete_expired"
    (charge,) = await stack.ledger.list_charges(customer_uid="mispriced_1")
    number = charge.merchant_uid
    if hidden:
        await stack.advance("mispriced_1", days=2)
        (row,) = await parked(stack, "mispriced_1")
        assert (row["kind"], row["merchant_uid"]) == ("charge_left", number)
        assert await went_by(stack, watcher_of(row), days=2) is None
        await stack.emulator.delete("/emulator/faults")
        assert await went_by(stack, watcher_of(row), **SOON) == "noted"
    await stack.handle("mispriced_1").result()
    (payment,) = world.payments_of(number)
    assert payment["amount"] == 100
    await until(lambda: gone_back(stack, number))
    assert await parked(stack) == []
