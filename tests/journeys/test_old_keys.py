"""The old key of a changed card: kept while something can charge it, gone in the end, wherever a worker dies."""

import asyncio
import random

import pytest

from tests.journeys.cards import (
    GOOD,
    HARD,
    MONTHLY,
    OTHER,
    REFUSED,
    SOFT,
    begun,
    change,
    keys,
    method,
    open_schedules,
)
from tests.journeys.watching import watch

pytestmark = pytest.mark.soak

# ---------------------------------------------------------------- the old key


async def test_an_old_key_that_cannot_be_deleted_holds_nothing_up_and_goes_later(stack):
    uid = await stack.start()
    await stack.advance(uid, days=1)
    await stack.fault(path="customers_delete", kind="500_before")
    answer = await change(stack, uid, customer_uid="new")
    assert answer["payment_method"]["customer_uid"] == "new"
    assert keys(stack) == {uid, "new"}
    await stack.emulator.delete("/emulator/faults")
    await stack.advance(uid, days=31)
    assert keys(stack) == {"new"}
    assert await stack.agree(uid) == 2


async def test_a_subscription_that_ends_takes_its_left_keys_with_it(stack):
    uid = await stack.start()
    await stack.advance(uid, days=1)
    await stack.fault(path="customers_delete", kind="500_before")
    await change(stack, uid, customer_uid="new")
    await stack.emulator.delete("/emulator/faults")
    await stack.order(uid, "cancel", at="now")
    # A deletion was not answered: the run stays until it cannot be carried out any more.
    await stack.advance(uid, minutes=15)
    await stack.handle(uid).result()
    assert keys(stack) == {"new"}


# ---------------------------------------------------------------- dying in the middle


BOTH, AFTER = (True, False), (False,)
STEPS = [
    ("portone", "find_billing_key", 1, AFTER),
    ("ledger", "subscription_on_key", 1, AFTER),
    ("portone", "issue_billing_key", 1, BOTH),
    ("portone", "unschedule", 1, BOTH),
    ("portone", "find_schedule", 1, AFTER),
    ("ledger", "record", 1, BOTH),
    ("ledger", "record", 2, AFTER),
    ("portone", "schedule", 1, BOTH),
    ("ledger", "record", 3, AFTER),
    ("portone", "list_billing_key_schedules", 1, AFTER),
    ("portone", "delete_billing_key", 1, BOTH),
    ("ledger", "record", 4, AFTER),
]
"""Every call of a card change, in its order: which, the how manieth of its kind, and whether death comes before it."""


def dying(stack, deaths):
    """Die at these calls, once each: (uid, subscription_id) -> (part, method, the how manieth, before it is made)."""
    died = []
    for part, name in {(part, name) for part, name, _, _ in deaths.values()}:
        owner = getattr(stack, part)
        made, counts = getattr(owner, name), {}

        async def call(*args, part=part, name=name, made=made, counts=counts, **options):
            text = repr(args)
            whose = next((each for each in deaths if any(mark in text for mark in each)), None)
            counts[whose] = counts.get(whose, 0) + 1
            now = whose is not None and deaths[whose][:3] == (part, name, counts[whose])
            if now and deaths[whose][3]:
                died.append(whose)
                raise RuntimeError("killed before the call")
            answer = await made(*args, **options)
            if now:
                died.append(whose)
                raise RuntimeError("killed after the call")
            return answer

        setattr(owner, name, call)
    return died


async def test_a_worker_that_dies_at_any_step_of_a_card_change_is_carried_on_from_there(stack):
    points = [(*step, before) for *step, when in STEPS for before in when]
    deaths = {}
    for n, point in enumerate(points):
        uid = await stack.start(f"dying_{n:02}_")
        deaths[uid, stack.last["subscription_id"]] = point
        stack.started.clear()
    seen = watch(stack)
    died = dying(stack, deaths)
    answers = await asyncio.gather(*(change(stack, uid) for uid, _ in deaths))
    assert len(died) == len(points)
    new_keys = {answer["payment_method"]["customer_uid"] for answer in answers}
    while sorted(open_schedules(stack).values()) != sorted(new_keys):
        # Whose worker died before it scheduled is answered, and is scheduled by the next try, two seconds later.
        await asyncio.sleep(0.02)
    assert keys(stack) == new_keys
    seen.assert_one_key()
    assert seen.paths().count("customers") == len(points)
    for uid, _ in deaths:
        assert (await stack.events(uid)).count("payment_method.changed") == 1
        assert await stack.agree(uid) == 1


async def test_workers_that_come_and_go_replay_a_card_change_from_its_beginning(stack):
    await stack.stop_worker()
    await stack.start_worker(max_cached_workflows=0)
    uid, seen = await begun(stack)
    await stack.advance(uid, days=1)
    await stack.fault(path="unschedule", kind="delay_after", seconds=1.0)
    changing = asyncio.create_task(change(stack, uid, customer_uid="new"))
    while "unschedule" not in seen.paths():
        await asyncio.sleep(0.01)
    await stack.restart_worker()
    assert (await changing)["payment_method"]["customer_uid"] == "new"
    assert seen.paths() == ["customers", "unschedule", "schedule", "customers_delete"]
    await stack.restart_worker()
    await stack.advance(uid, days=31)
    assert await stack.agree(uid) == 2
    seen.assert_one_key()


async def test_the_new_card_is_carried_through_continuing_as_new(stack):
    stack.roll_after(25)
    uid, seen = await begun(stack)
    await stack.advance(uid, days=1)
    await stack.fault(path="customers_delete", kind="500_before")
    await change(stack, uid, customer_uid="first")
    await stack.emulator.delete("/emulator/faults")
    await stack.advance(uid, days=32)
    await change(stack, uid, customer_uid="second")
    await stack.advance(uid, days=62)
    assert keys(stack) == {"second"}
    paid = [row["customer_uid"] for row in await stack.charges(uid) if row["state"] == "paid"]
    assert paid == [uid, "first", "second", "second"]
    assert await stack.agree(uid) == 4
    seen.assert_one_key()


async def test_whatever_cards_come_and_go_there_is_one_key_and_every_period_is_paid_once(stack):
    chance = random.Random(7)  # noqa: S311 - a seed, not a secret
    dunning = {"after_days": [1, 2], "grace_days": 2, "end_action": "unpaid"}
    plan = {**MONTHLY, "interval": "week"}
    uid, seen = await begun(stack, plan=plan, dunning=dunning)
    await stack.fault(path="*", kind="drop_after", count=3)
    for _ in range(6):
        await stack.advance(uid, days=chance.randint(1, 6), hours=chance.randint(0, 23))
        last_four = chance.choice([GOOD, OTHER, SOFT, HARD, "0004", REFUSED])
        answer = await stack.api.post(
            f"/v1/subscriptions/{uid}/payment-method", json={"payment_method": method(last_four)}
        )
        assert answer.status_code in (200, 402, 503), answer.text
    await change(stack, uid, GOOD)
    await stack.advance(uid, days=8)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["parked_reason"]) == ("active", None)
    assert keys(stack) == {shown["payment_method"]["customer_uid"]}
    paid = [row["cycle"] for row in await stack.charges(uid) if row["state"] == "paid"]
    assert paid == list(range(1, shown["cycle"]["number"]))
    assert await stack.agree(uid) == len(paid)
    seen.assert_one_key()
