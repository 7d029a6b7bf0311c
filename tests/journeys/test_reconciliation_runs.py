"""A reconciliation as a run: every page and every border, killed half way, continued as new, resolved, given up."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.testing import ActivityEnvironment

from billing.domain.differences import DifferenceState, RunState
from billing.domain.windows import Window
from tests.reconciled import console, current, facts, kinds, order_of, reconcile, rows, rung, start_run
from worker import reconciling
from workflows.reconciliation.contracts import CompareSlice, Leg, Stretch
from workflows.reconciliation.workflow import ReconciliationWorkflow

pytestmark = pytest.mark.soak

MINUTE = timedelta(minutes=1)


async def several(stack, count=3):
    """Subscribers whose key was charged, and will be charged, by hand: nobody here can settle either."""
    far = int((datetime.now(UTC) + timedelta(days=50)).timestamp())
    uids = [await stack.start() for _ in range(count)]
    for n, uid in enumerate(uids):
        await current(stack, uid)
        later = {"merchant_uid": f"later-{uid}", "amount": 100 + n, "schedule_at": far + n}
        await console(stack, "register", customer_uid=uid, **later)
        await console(stack, "pay", customer_uid=uid, merchant_uid=f"by-hand-{uid}", amount=100 + n)
    return uids


async def shop_order(stack, name, **changes):
    """A payment of the merchant's other business, set to an instant."""
    await stack.emulator.post("/emulator/window/billing-key", json={"customer_uid": "shop", "card_number": "4" * 16})
    row = await console(stack, "pay", customer_uid="shop", merchant_uid=name, amount=500)
    world = stack.account().world
    world.change_payment({**world.store["payments"][row["imp_uid"]], **changes})


# ---------------------------------------------------------------- pages and borders


@pytest.mark.parametrize("page_size", [1, 3, 1000])
async def test_every_page_is_compared_whatever_its_size(deaf, page_size):
    uids = await several(deaf, 3)
    counts = await reconcile(deaf, page_size=page_size)
    assert sorted(await kinds(deaf)) == ["paid_at_portone_unknown_here"] * 3 + ["schedule_unplanned"] * 3
    assert (counts["payments"], counts["schedules"], counts["charges"], counts["subscriptions"]) == (6, 6, 3, 3)
    assert (counts["opened"], counts["differences"], counts["rung"]) == (6, 6, 6)
    for uid in uids:
        assert sorted(name for name, _ in await rung(deaf, uid)) == ["look_again", "payment_reported"]


async def test_more_rows_than_portone_gives_on_one_page_are_all_read(deaf):
    await shop_order(deaf, "shop")
    world = deaf.account().world
    (row,) = world.payments_of("shop")
    for n in range(1200):
        world.keep_payment({**row, "imp_uid": f"imps_{n:012d}", "merchant_uid": f"shop-{n}"})
    counts = await reconcile(deaf)
    assert (counts["payments"], counts["not_ours"], counts["examined"]) == (1201, 1201, 0)


async def test_a_payment_at_a_border_is_read_once_and_one_beyond_the_window_not_at_all(deaf):
    start = (datetime.now(UTC) - timedelta(days=200)).replace(second=0, microsecond=0)
    border, end = start + timedelta(days=90), start + timedelta(days=150)
    second = timedelta(seconds=1)
    inside = (start, border - second, border, end - second)
    for n, at in enumerate((*inside, start - second, end)):
        await shop_order(deaf, f"shop-{n}", paid_at=int(at.timestamp()))
    counts = await reconcile(deaf, start=start, end=end)
    assert (counts["payments"], counts["not_ours"]) == (len(inside), len(inside))


async def test_a_window_without_an_end_reaches_as_far_as_the_furthest_test_clock(deaf):
    uid = await deaf.start()
    await deaf.advance(uid, days=200)
    await console(deaf, "cancel", merchant_uid=await order_of(deaf, uid, 5))
    counts = await reconcile(deaf)
    # Seven paid months in three windows of PortOne's, one of them refunded.
    assert counts["payments"] == 7
    assert await kinds(deaf) == ["refunded_elsewhere"]
    run = (await deaf.ledger.differences.runs(1))[0]
    assert run.window_end - run.window_start > timedelta(days=200)
    assert (run.state, run.counts["payments"], run.error) == (RunState.DONE, 7, None)


async def test_a_page_that_rows_have_left_is_empty_and_no_failure(deaf):
    await several(deaf, 1)
    at = datetime.now(UTC)
    window = Window(at - timedelta(days=1), at + timedelta(days=1))
    activities = reconciling(deaf.temporal, deaf.settings, deaf.portone, deaf.ledger)
    compare_payments = next(each for each in activities if each.__name__ == "compare_payments")
    order = CompareSlice(
        run_id="r", at=at, begun_at=at, stretch=Stretch(leg=Leg.PAYMENTS, window=window), cursor="3", page_size=1
    )
    compared = await ActivityEnvironment().run(compare_payments, order)
    assert (compared.cursor, compared.total, compared.counts["payments"]) == ("", 0, 0)


# ---------------------------------------------------------------- killed, continued, given up


async def test_a_run_that_is_killed_half_way_and_run_again_leaves_the_same_rows_as_one_that_was_not(deaf):
    await several(deaf)
    run_id = f"reconciliation/killed-{uuid.uuid4().hex}"
    async with deaf.holding("schedule_list") as came:
        killed = await start_run(deaf, run_id, page_size=2)
        await came.wait()
        assert len(await rows(deaf)) == 3
        await killed.terminate("by a test")
    assert set(await kinds(deaf)) == {"paid_at_portone_unknown_here"}
    counts = await reconcile(deaf, page_size=2)
    assert (counts["opened"], counts["differences"]) == (3, 6)
    first = await facts(deaf)
    # Under its own name it begins anew, and finds the same once more.
    shown = await (await start_run(deaf, run_id, page_size=2)).result()
    assert (shown.state, shown.counts["opened"], shown.counts["differences"]) == (RunState.DONE, 0, 6)
    assert await facts(deaf) == first
    assert len({(row.kind, row.merchant_uid, row.imp_uid, row.customer_uid, row.detail) for row in first}) == 6
    assert len(first) == 6


async def test_a_run_whose_worker_is_replaced_in_the_middle_goes_on_with_the_page_it_was_at(deaf):
    await several(deaf)
    run = await start_run(deaf, page_size=1)
    while len(await rows(deaf)) < 2:
        await asyncio.sleep(0.02)
    await deaf.restart_worker()
    shown = await run.result()
    assert shown.counts["payments"] == 6
    assert sorted(await kinds(deaf)) == ["paid_at_portone_unknown_here"] * 3 + ["schedule_unplanned"] * 3
    assert sum(row.times_opened for row in await rows(deaf)) == 6


async def test_a_long_run_continues_as_new_and_loses_nothing(deaf):
    await several(deaf)
    run = await start_run(deaf, page_size=1, roll_after_events=20)
    shown = await run.result()
    assert run.first_execution_run_id != (await deaf.temporal.get_workflow_handle(run.id).describe()).run_id
    assert (shown.counts["payments"], shown.counts["subscriptions"], shown.counts["differences"]) == (6, 3, 6)


async def test_a_run_says_where_it_is_while_it_goes(deaf):
    await several(deaf, 1)
    async with deaf.holding("schedule_list") as came:
        run = await start_run(deaf)
        await came.wait()
        shown = await run.query(ReconciliationWorkflow.progress)
        assert shown.stretch.leg is Leg.SCHEDULES
        assert (shown.state, shown.stretches_done, shown.stretches) == (RunState.RUNNING, 1, 6)
        assert shown.counts["payments"] == 2
        details = (await run.query("__temporal_workflow_metadata")).current_details
        assert "Step 2 of 6: schedules" in details
    await run.result()


async def test_a_run_that_portone_does_not_answer_for_hours_is_given_up_and_says_so(deaf, dev_server):
    await deaf.fault(path="status", kind="500_before")
    run = await start_run(deaf)
    while not (await run.describe()).raw_description.pending_activities:
        await asyncio.sleep(0.02)
    await dev_server.fast_forward(run, timedelta(hours=4))
    with pytest.raises(WorkflowFailureError):
        await run.result()
    (row,) = await deaf.ledger.differences.runs(5)
    assert (row.state, row.run_id) == (RunState.FAILED, run.id)
    assert "500" in row.error


# ---------------------------------------------------------------- what becomes of a row


async def test_a_row_is_resolved_by_a_later_run_although_it_lies_outside_that_runs_window(deaf):
    uid = await deaf.start()
    await current(deaf, uid)
    ahead = int((datetime.now(UTC) + timedelta(days=50)).timestamp())
    for name in ("one", "two"):
        await console(deaf, "register", customer_uid=uid, merchant_uid=name, amount=100, schedule_at=ahead)
    await reconcile(deaf)
    for name in ("one", "two"):
        await console(deaf, "revoke", merchant_uid=name)
    long_ago = datetime.now(UTC) - timedelta(days=300)
    counts = await reconcile(deaf, start=long_ago, end=long_ago + MINUTE, horizon_days=1)
    assert (counts["open_before"], counts["resolved"], counts["open"]) == (2, 2, 0)
    resolved = await rows(deaf, DifferenceState.RESOLVED)
    assert all(row.resolved_at is not None for row in resolved)
    assert len(resolved) == 2


async def test_what_stands_open_is_not_resolved_by_a_run_that_gives_money_more_time_to_settle(deaf):
    uid = await deaf.start()
    payment = await console(deaf, "pay", customer_uid=uid, merchant_uid="by-hand", amount=100)
    await reconcile(deaf, settle_minutes=10)
    assert await rows(deaf) == []
    await reconcile(deaf, settle_minutes=0)
    await reconcile(deaf, settle_minutes=10)
    (row,) = await rows(deaf)
    assert (row.imp_uid, row.times_opened) == (payment["imp_uid"], 1)


async def test_an_accepted_difference_is_neither_rung_nor_opened_again(deaf):
    (uid,) = await several(deaf, 1)
    await reconcile(deaf)
    for row in await rows(deaf):
        assert await deaf.ledger.differences.accept(row.difference_id, "Kim", "agreed", datetime.now(UTC))
    signals = len(await rung(deaf, uid))
    counts = await reconcile(deaf)
    assert (counts["differences"], counts["open"], len(await rung(deaf, uid))) == (0, 0, signals)
    assert len(await rows(deaf, DifferenceState.ACCEPTED)) == 2
