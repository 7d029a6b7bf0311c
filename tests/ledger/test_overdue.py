"""What is overdue is read from the ledger by an index, each row by its own clock, and never beside what is parked."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from billing.domain.clock import Clock
from billing.domain.overdue import OverduePeriod, overdue_event, overdue_event_id
from billing.domain.records import ChargeKind, LedgerEntry, SubscriptionLife
from billing.domain.states import CycleState, SubscriptionStatus
from billing.ledger import Ledger, migrate
from billing.ledger.engine import open_engine, reading, writing
from tests.ledger.stories import LIFE, day, intent, order, subscription
from tests.ledger.test_parking import parked

HOUR = timedelta(hours=1)
NOON = Clock(day(10))


async def overdue(ledger, clock=NOON, leeway=HOUR, **page):
    return [each.record.subscription_id for each in await ledger.overdue.page(clock, leeway, **page)]


async def write(ledger, *records, **parts):
    for record in records:
        await ledger.record(LedgerEntry(subscription=record, **parts))


def life(number, **changes):
    return subscription(
        **{"subscription_id": f"s{number:019d}", "customer_uid": f"kim_{number}", "next_charge_at": day(9), **changes}
    )


async def test_a_due_period_that_nobody_settled_is_overdue_once_the_leeway_is_over(ledger):
    await write(ledger, life(1, next_charge_at=day(10) - HOUR), life(2, next_charge_at=day(10) - 2 * HOUR))
    assert await overdue(ledger) == ["s" + "2".zfill(19)]
    (found,) = await ledger.overdue.page(NOON, HOUR)
    assert (found.due_by, found.now, found.record.customer_uid) == (day(10) - 2 * HOUR, day(10), "kim_2")


async def test_a_run_that_says_it_waits_longer_is_believed_and_one_that_says_it_waited_is_not(ledger):
    await write(ledger, life(1, waits_until=day(11)), life(2, next_charge_at=None, waits_until=day(9)))
    assert await overdue(ledger) == ["s" + "2".zfill(19)]


@pytest.mark.parametrize(
    "changes",
    [
        {"status": SubscriptionStatus.CANCELED, "ended_at": day(9)},
        {"status": SubscriptionStatus.PAUSED, "next_charge_at": None},
        {"status": SubscriptionStatus.PAUSED, "next_charge_at": None, "life": SubscriptionLife(resumes_at=day(12))},
        {"status": SubscriptionStatus.UNPAID, "next_charge_at": None},
        {"status": SubscriptionStatus.TRIALING, "next_charge_at": day(12)},
        {"status": SubscriptionStatus.PAST_DUE, "next_charge_at": day(11), "failed_attempts": 1},
        {"cycle_state": CycleState.GATED, "next_charge_at": day(20)},
        {"next_charge_at": None, "current_period_end": day(30), "cancel_at_period_end": True},
    ],
    ids=["ended", "paused", "paused until", "unpaid", "trial", "dunning", "gated", "ends with its period"],
)
async def test_what_waits_for_something_to_come_is_not_overdue(ledger, changes):
    await write(ledger, life(1, **changes))
    assert await overdue(ledger) == []


async def test_a_period_that_stands_parked_is_in_that_list_and_not_in_this_one(ledger):
    row = subscription(next_charge_at=day(9), merchant_uid=order())
    await write(ledger, row, intents=(intent(),), parked=(parked(),))
    assert await overdue(ledger) == []
    await ledger.record(LedgerEntry(parked=(parked(revision=2, closed_at=day(9)),)))
    assert await overdue(ledger) == [LIFE]


async def test_an_earlier_order_number_of_the_same_period_that_stands_parked_counts_as_parked(ledger):
    row = subscription(next_charge_at=day(9), merchant_uid=order(1, 1))
    await write(ledger, row, intents=(intent(), intent(1, 1)), parked=(parked(),))
    assert await overdue(ledger) == []


async def test_what_stands_parked_of_another_period_or_of_a_change_excuses_nothing(ledger):
    row = subscription(next_charge_at=day(9), merchant_uid=order(2), cycle=2)
    change = intent(2, 0, merchant_uid="change", kind=ChargeKind.CHANGE)
    orders = (intent(1), change)
    await write(ledger, row, intents=orders, parked=(parked(), parked(2, merchant_uid="change")))
    assert await overdue(ledger) == [LIFE]


async def test_each_is_judged_by_the_clock_it_lives_by(ledger):
    early, late = day(10) + 5 * HOUR, day(40)
    await write(
        ledger,
        life(1, next_charge_at=early),
        life(2, next_charge_at=early),
        life(3, next_charge_at=late),
        life(4, next_charge_at=early, billing_key="card_b"),
    )
    clock = Clock(day(10), {"kim_1": 7 * HOUR, "kim_3": timedelta(days=29), "card_b": 8 * HOUR, "nobody": 100 * HOUR})
    assert await overdue(ledger, clock) == [f"s{n:019d}" for n in (1, 4)]
    assert [each.now for each in await ledger.overdue.page(clock, HOUR)] == [day(10) + 7 * HOUR, day(10) + 8 * HOUR]
    assert await overdue(
        ledger, Clock(day(10), {f"far_{n}": 99 * HOUR for n in range(500)} | {"kim_3": 999 * HOUR})
    ) == ["s" + "3".zfill(19)]


async def test_pages_follow_one_another_the_longest_overdue_first(ledger):
    await write(ledger, *(life(n, next_charge_at=day(9) - n % 3 * HOUR) for n in range(7)))
    whole = await ledger.overdue.page(NOON, HOUR)
    assert [each.due_by for each in whole] == sorted(each.due_by for each in whole)
    seen, after = [], None
    while page := await ledger.overdue.page(NOON, HOUR, limit=2, after=after):
        seen += page
        after = page[-1].due_by, page[-1].record.subscription_id
    assert seen == whole
    assert await overdue(ledger, customer_uid="kim_3") == ["s" + "3".zfill(19)]


async def test_an_older_row_that_comes_late_changes_nothing_of_it(ledger):
    await write(ledger, life(1, revision=2, next_charge_at=day(20)), life(1, revision=1, next_charge_at=day(1)))
    assert await overdue(ledger) == []


async def test_an_event_that_two_write_at_once_is_written_once(ledger):
    record = life(1)
    found = OverduePeriod(record, day(9), day(10))
    await ledger.record(LedgerEntry(subscription=record, events=(overdue_event(found),)))
    await ledger.record(LedgerEntry(events=(overdue_event(OverduePeriod(record, day(9), day(11))),)))
    assert [event.at for event in await ledger.events.page()] == [day(10)]
    assert await ledger.overdue.announced([overdue_event_id(record), "other"]) == {overdue_event_id(record)}


async def test_the_index_finds_it_whatever_else_there_is(ledger, database):
    await write(ledger, life(1))
    where = "WHERE due_by < '2027-02-10' ORDER BY due_by, subscription_id LIMIT 50"
    explain = "EXPLAIN QUERY PLAN" if database.backend == "sqlite" else "EXPLAIN"
    async with writing(ledger.engine) as connection:
        if database.backend == "postgresql":
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = (await connection.execute(text(f"{explain} SELECT * FROM subscriptions {where}"))).all()
    assert "ix_subscriptions_due_by" in str(plan)


async def test_the_row_is_still_equal_to_what_was_written(ledger):
    record = life(1, waits_until=day(12))
    await write(ledger, record)
    assert (await ledger.get_subscription("kim_1")).record == record
    async with reading(ledger.engine) as connection:
        (row,) = (await connection.execute(text("SELECT due_by FROM subscriptions"))).all()
    assert row.due_by is not None


async def test_a_row_from_before_is_found_by_its_next_charge_once_the_schema_is_new(empty):
    """A run that can write no more is the one that must be found; an ended one must not."""
    await migrate.upgrade(empty.url, "0006")
    engine = open_engine(empty.url, creates=True)
    names = "subscription_id, customer_uid, workflow_id, status, plan, customer, metadata, revision, cycle, cycle_state"
    more = "next_charge_at, failed_attempts, cancel_at_period_end, started_at, ended_at, created_at, updated_at"
    at = "'2027-02-01 00:00:00'"
    async with writing(engine) as connection:
        for number, status, ended in ((1, "active", "NULL"), (2, "canceled", at), (3, "active", "NULL")):
            plan = '{"name": "n", "price": {"amount": 1, "currency": "KRW"}, "interval": {"unit": "month", "count": 1}}'
            terms = plan.replace(":", r"\:")
            due = "NULL" if number == 3 else at
            await connection.execute(
                text(
                    f"INSERT INTO subscriptions ({names}, {more}) VALUES ('s{number:019d}', 'kim_{number}', 'w',"
                    f" '{status}', '{terms}', '{{}}', '{{}}', 1, 2, 'registered',"
                    f" {due}, 0, false, {at}, {ended}, {at}, {at})"
                )
            )
    await engine.dispose()
    ledger = Ledger(empty.url)
    await ledger.migrate()
    assert await overdue(ledger) == ["s" + "1".zfill(19)]
    await ledger.aclose()
