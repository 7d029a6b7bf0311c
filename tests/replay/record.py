"""Record the histories that every later version of the workflows must replay: `python -m tests.replay.record NAME...`.

Name the new stories, so that the old ones stay as they are; without a name all are recorded anew.
Run it only to add a story, never to make a failing replay pass: a change that cannot replay is patched instead.
`python -m tests.replay.record reconciliations` records the reconciliations alone.
"""

import asyncio
import gzip
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from billing.domain.delivery import MAX_ATTEMPTS
from billing.emulator.envelope import Refusal
from tests.deploy.fleet import Fleet
from tests.events.conftest import Receiver, Telling, paid
from tests.facts import decide, fact, parked
from tests.journeys.cards import method
from tests.journeys.parked import went_by
from tests.reconciled import console, current, order_of, silence, start_run
from tests.replay.fingerprint import write_all
from tests.stack import CARD, now, running_stack, served, start_dev_server

HISTORIES = Path(__file__).parent / "histories"

TRIAL = {"name": "월간 이용권", "amount": 9900, "interval": "month", "trial_days": 1}


async def plain(stack):
    """Paid at once, renewed three times."""
    uid = await stack.start("plain")
    await stack.advance(uid, days=95)


async def every_webhook_lost(stack):
    """Renewed by the deadline alone."""
    await stack.fault(path="webhook", kind="drop_webhook", customer_uid="every_webhook_lost")
    uid = await stack.start("every_webhook_lost")
    await stack.advance(uid, days=64)


async def trial_declined_recovered(stack):
    """Issue-and-schedule in one call, two declines, recovery."""
    uid = await stack.start("trial_declined_recovered", card="4518-4212-3456-0004", plan=TRIAL)
    await stack.advance(uid, days=40)


async def retries_exhausted(stack):
    """Every retry declined."""
    uid = await stack.start("retries_exhausted", card="4518-4212-3456-0002", plan=TRIAL)
    await stack.advance(uid, days=30)


async def answer_lost(stack):
    """Charged, the answer lost, found by a look-up."""
    uid = await stack.start("answer_lost", card="4518-4212-3456-0005")
    await stack.advance(uid, days=32)


async def never_arrived(stack):
    """Unknown, the quiet window, the same number again."""
    await stack.fault(path="again", kind="500_before", count=1, customer_uid="never_arrived")
    uid = await stack.start("never_arrived", expect=202)
    await stack.advance(uid, minutes=20)


async def canceled_at_period_end(stack):
    """The next charge revoked, the paid period lived to its end."""
    uid = await stack.start("canceled_at_period_end")
    await stack.advance(uid, days=10)
    await stack.api.post(f"/v1/subscriptions/{uid}/cancel", json={"at": "period_end"})
    await stack.advance(uid, days=30)


async def canceled_after_the_charge(stack):
    """The charge won against the cancel."""
    uid = await stack.start("canceled_after_the_charge")
    await stack.advance(uid, days=10)
    await stack.fault(path="webhook", kind="drop_webhook", customer_uid=uid)
    await stack.emulator.post("/emulator/clock", json={"advance_seconds": 32 * 86400, "customer_uid": uid})
    await stack.api.post(f"/v1/subscriptions/{uid}/cancel", json={"at": "now"})


async def yearly_beyond_the_horizon(stack):
    """A durable timer before the schedule."""
    plan = {"name": "연간권", "amount": 99000, "interval": "year"}
    uid = await stack.start("yearly_beyond_the_horizon", plan=plan)
    await stack.advance(uid, days=370)


async def our_own_retries(stack):
    """A PG that cannot book a failed schedule again."""
    uid = "our_own_retries"
    window = {"customer_uid": uid, "card_number": "4518-4212-3456-0004", "pg": "tosspay_v2"}
    await stack.emulator.post("/emulator/window/billing-key", json=window)
    await stack.start(uid, payment_method={"billing_key": True}, plan=TRIAL)
    await stack.advance(uid, days=10)


async def refused_card(stack):
    """A card that no key is issued for."""
    await stack.start("refused_card", card="4518-4212-3456-0001", expect=402)


async def refused_by_its_pg(stack):
    """A phone bill that only the key tells of, and a plan that no phone bill is charged by."""
    uid = "refused_by_its_pg"
    window = {"customer_uid": uid, "card_number": CARD, "pg": "mobilians", "amount": 9900}
    await stack.emulator.post("/emulator/window/billing-key", json=window)
    plan = {"name": "연간권", "amount": 9900, "interval": "year"}
    await stack.start(uid, payment_method={"billing_key": True}, plan=plan, expect=422)


async def adopted(stack):
    """An old loop's schedules on the key: one is the first charge, another is taken back."""
    uid = "adopted"
    await stack.emulator.post("/emulator/window/billing-key", json={"customer_uid": uid, "card_number": CARD})
    for number, days in (("old-1", 5), ("old-2", 40)):
        at = int((now() + timedelta(days=days)).timestamp())
        await console(stack, "register", customer_uid=uid, merchant_uid=number, amount=9900, schedule_at=at)
    await stack.start(uid, payment_method={"billing_key": True}, take_over="adopt")
    await stack.advance(uid, days=40)


async def charged_at_issue(stack):
    """A PG that charged when it issued the key: the first period, recorded under its own order number."""
    uid = "charged_at_issue"
    window = {"customer_uid": uid, "card_number": CARD, "pg": "kakaopay", "amount": 9900, "merchant_uid": "issue-1"}
    await stack.emulator.post("/emulator/window/billing-key", json=window)
    await stack.start(uid, payment_method={"billing_key": True}, pg="kakaopay")
    await stack.advance(uid, days=32)


async def came_back(stack):
    """An ended subscription's key is deleted for another card, which is declined once when it renews."""
    uid = "came_back"
    await stack.start(uid)
    await stack.order(uid, "cancel", at="now")
    await stack.handle(uid).result()
    await stack.start(uid, card="4518-4212-3456-1111")
    await stack.order(uid, "payment-method", payment_method=method("0002"))
    await stack.advance(uid, days=33)


async def billed_on_a_day(stack):
    """A first period up to a chosen billing day, two whole ones, and a change in between."""
    uid, day = "billed_on_a_day", (now() + timedelta(days=12)).day
    await stack.start(uid, billing_day=day)
    await stack.advance(uid, days=20)
    await stack.order(uid, "change-plan", plan={"name": "연간권", "amount": 99000, "interval": "year"}, at="now")
    await stack.advance(uid, days=20)


STORIES = (
    plain,
    every_webhook_lost,
    trial_declined_recovered,
    retries_exhausted,
    answer_lost,
    never_arrived,
    canceled_at_period_end,
    canceled_after_the_charge,
    yearly_beyond_the_horizon,
    our_own_retries,
    refused_card,
    refused_by_its_pg,
    adopted,
    charged_at_issue,
    came_back,
    billed_on_a_day,
)


async def short_workflows(stack):
    """A key-in payment that stores a key, refunds, a key issued and deleted."""
    card = {"card_number": CARD, "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}
    body = {"merchant_uid": "key-in", "name": "전화 주문", "amount": 33000, "card": card, "customer_uid": "key-in-1"}
    assert (await stack.api.post("/v1/payments", json=body)).status_code == 201
    refunded = await stack.api.post("/v1/payments/key-in/refunds", json={"amount": 3000})
    assert refunded.status_code == 201, refunded.text
    key = {"customer_uid": "key-2", "card": card}
    assert (await stack.api.post("/v1/billing-keys", json=key)).status_code == 201
    issued = await stack.temporal.get_workflow_handle("billing-key/key-2").fetch_history()
    keep("issue_billing_key", issued)
    assert (await stack.api.delete("/v1/billing-keys/key-2")).status_code == 200
    for name, workflow_id in (
        ("key_in_payment", "payment/key-in"),
        ("partial_refund", "refund/key-in"),
        ("delete_billing_key", "billing-key/key-2"),
    ):
        keep(name, await stack.temporal.get_workflow_handle(workflow_id).fetch_history())


async def event_delivery(stack):
    """One event tried ten times over three days and parked, one retried once, one delivered at once."""
    receiver, telling = Receiver(), Telling(stack)
    async with served(receiver.app()) as url:
        receiver.url = url
        target = await telling.endpoint(receiver)
        events = [paid("event_delivery") for _ in range(3)]
        receiver.answers[events[0].event_id] = [500] * MAX_ATTEMPTS
        receiver.answers[events[1].event_id] = [503]
        await telling.tell(*events)
        await receiver.wait_for(1)
        await telling.advance(target, "event_delivery", days=4)
        await telling.ended(target, "event_delivery")
        keep("event_delivery", await telling.handle(target, "event_delivery").fetch_history())


def wanted(name):
    """Whether this story is to be recorded."""
    return not sys.argv[1:] or name in sys.argv[1:]


async def late_fact(stack):
    """Approved after the subscription had ended: booked, given back, announced."""
    uid = await stack.start("late_fact", plan=TRIAL, card="4518-4212-3456-0002")
    number = await current(stack, uid)
    await stack.advance(uid, days=40)
    payment = await console(stack, "approve_late", merchant_uid=number)
    handle = stack.temporal.get_workflow_handle(f"fact/{payment['imp_uid']}")
    await fact(stack, payment["imp_uid"])
    keep("late_fact", await handle.fetch_history())


async def left_schedule(stack):
    """A charge that somebody else left on the key of an ended subscription, taken back by a person."""
    uid = await stack.start("left_schedule")
    await stack.settled(uid)
    at = int((now() + timedelta(days=20)).timestamp())
    await console(stack, "register", customer_uid=uid, merchant_uid="left-1", amount=700, schedule_at=at)
    await stack.order(uid, "cancel", at="now")
    await decide(stack, uid, "revoke")
    handle = stack.temporal.get_workflow_handle("left-schedule/left-1")
    await handle.result()
    keep("left_schedule", await handle.fetch_history())
    keep("left_by_a_cancel", await stack.handle(uid).fetch_history())


async def owed_refund(stack):
    """A refund at a cancel that the PG refuses, tried once more when a person says so."""
    uid = await stack.start("owed_refund")
    execution = stack.account().execution
    refund = execution.refund

    def refuse(*_arguments, **_options):
        raise Refusal("취소 가능 기간이 지났습니다.")

    execution.refund = refuse
    await stack.order(uid, "cancel", at="now", refund="prorated")
    await decide(stack, uid, "refund", expect=409)
    execution.refund = refund
    (row,) = await parked(stack, uid)
    await decide(stack, uid, "refund")
    handle = stack.temporal.get_workflow_handle(f"owed-refund/{row['parked_id'].removeprefix('owed-')}")
    await handle.result()
    keep("owed_refund", await handle.fetch_history())
    keep("owed_by_a_cancel", await stack.handle(uid).fetch_history())


async def left_charge(stack):
    """A first charge that PortOne does not decide, canceled, and left to a run of its own until it is declined."""
    await stack.fault(path="again", kind="undecided", count=1)
    await stack.start("left_charge", expect=202)
    await stack.order("left_charge", "cancel", at="now")
    await stack.advance("left_charge", days=6)
    (row,) = await parked(stack, "left_charge")
    world = stack.account().world
    (payment,) = world.payments_of(row["merchant_uid"])
    world.change_payment({**payment, "status": "failed", "failed_at": payment["started_at"]})
    await went_by(stack, f"left-charge/{row['merchant_uid']}", days=2)
    handle = stack.temporal.get_workflow_handle(f"left-charge/{row['merchant_uid']}")
    await handle.result()
    keep("left_charge", await handle.fetch_history())
    keep("left_undecided", await stack.handle("left_charge").fetch_history())


async def reconciliations(stack):
    """A refund and a moved schedule found and rung; the same again, continued as new."""
    await silence(stack)
    uid = await stack.start("reconciled")
    due_at = (await stack.ledger.get_charge(await current(stack, uid))).due_at
    await console(stack, "cancel", merchant_uid=await order_of(stack, uid), amount=900)
    later = int(due_at.timestamp()) + 86400
    await console(stack, "move", merchant_uid=await current(stack, uid), schedule_at=later)
    for name, limit in (("reconciliation", None), ("reconciliation_continued", 20)):
        run = await start_run(stack, f"reconciliation/{name}", page_size=1, roll_after_events=limit)
        await run.result()
        keep(name, await stack.temporal.get_workflow_handle(run.id).fetch_history())


def keep(name, history):
    """Write one history, compressed; the same content gives the same bytes."""
    if not wanted(name):
        return
    (HISTORIES / f"{name}.json.gz").write_bytes(gzip.compress(history.to_json().encode(), mtime=0))


async def first_run(stack, customer_uid):
    """The history of the run that the others were continued from."""
    found = await stack.handle(customer_uid).describe()
    first = found.raw_description.workflow_execution_info.first_run_id
    return await stack.temporal.get_workflow_handle(found.id, run_id=first).fetch_history()


async def moved_between_versions(stack):
    """Begun by workers without a version, carried on by one version, then by the next."""
    uid = await stack.start("moved_between_versions")
    await stack.advance(uid, days=31)
    await stack.stop_worker()
    async with Fleet(stack) as fleet:
        for build_id in ("v1", "v2"):
            await fleet.start(build_id)
            await fleet.make_current(build_id)
            await stack.advance(uid, days=31)
    keep("moved_between_versions", await stack.handle(uid).fetch_history())


async def record_reconciliations():
    """Record the reconciliations, on a product of their own: they look at everybody."""
    async with await start_dev_server() as server:
        with tempfile.TemporaryDirectory() as folder:
            async with running_stack(server.client, Path(folder)) as stack:
                await reconciliations(stack)


async def main():
    """Record every story."""
    HISTORIES.mkdir(exist_ok=True)
    await record_reconciliations()
    async with await start_dev_server() as server:
        with tempfile.TemporaryDirectory() as folder:
            async with running_stack(server.client, Path(folder), first_answer_seconds=3) as stack:
                for story in filter(lambda story: wanted(story.__name__), STORIES):
                    await story(stack)
                    keep(story.__name__, await stack.handle(story.__name__).fetch_history())
                    print("recorded", story.__name__)  # noqa: T201 - a script's progress
                await short_workflows(stack)
                await event_delivery(stack)
                await late_fact(stack)
                await left_schedule(stack)
                await owed_refund(stack)
                await left_charge(stack)
        with tempfile.TemporaryDirectory() as folder:
            async with running_stack(server.client, Path(folder)) as stack:
                stack.roll_after(60)
                await stack.start("rolled")
                await stack.advance("rolled", days=200)
                keep("continued_as_new", await stack.handle("rolled").fetch_history())
                keep("about_to_continue_as_new", await first_run(stack, "rolled"))
        with tempfile.TemporaryDirectory() as folder:
            async with running_stack(server.client, Path(folder)) as stack:
                await moved_between_versions(stack)
    await write_all()


if __name__ == "__main__":
    asyncio.run(record_reconciliations() if "reconciliations" in sys.argv[1:] else main())
