"""Lists page by cursor: nothing twice, nothing left out, whatever shares an instant."""

from datetime import UTC, timedelta, timezone

import pytest

from billing.domain.merchant_uid import cycle_merchant_uid
from billing.domain.records import LedgerEntry
from billing.domain.states import SubscriptionStatus
from billing.ledger import Cursor, Ledger, ReceivedWebhook
from tests.ledger.stories import LIFE, PLAN, day, intent, key, subscription


def life(number: int) -> str:
    return f"{LIFE[:-2]}{number:02}"


async def test_subscriptions_page_newest_first(ledger: Ledger) -> None:
    for number in range(7):
        # Three to an instant: the cursor must tell them apart.
        record = subscription(subscription_id=life(number), customer_uid=f"c{number}", started_at=day(number // 3))
        await ledger.record(LedgerEntry(subscription=record))
    seen: list[str] = []
    after: Cursor | None = None
    while page := await ledger.list_subscriptions(limit=2, after=after):
        assert len(page) <= 2
        seen += [row.subscription_id for row in page]
        after = Cursor.decode(page[-1].cursor.encode())
    assert seen == [life(number) for number in (6, 5, 4, 3, 2, 1, 0)]


async def test_subscriptions_are_found_by_status_and_plan(ledger: Ledger) -> None:
    for number, (status, plan_id) in enumerate((("active", "a"), ("active", "b"), ("past_due", "a"), ("active", None))):
        record = subscription(
            subscription_id=life(number),
            customer_uid=f"c{number}",
            status=SubscriptionStatus(status),
            plan=type(PLAN)(PLAN.name, PLAN.price, PLAN.interval, plan_id=plan_id),
        )
        await ledger.record(LedgerEntry(subscription=record))
    active = await ledger.list_subscriptions(status=SubscriptionStatus.ACTIVE)
    assert {row.customer_uid for row in active} == {"c0", "c1", "c3"}
    assert {row.customer_uid for row in await ledger.list_subscriptions(plan_id="a")} == {"c0", "c2"}
    both = await ledger.list_subscriptions(status=SubscriptionStatus.ACTIVE, plan_id="a")
    assert [row.customer_uid for row in both] == ["c0"]


async def test_a_customer_uid_that_starts_again_shows_its_newest_life(ledger: Ledger) -> None:
    for number, started in enumerate((1, 3, 2)):
        await ledger.record(
            LedgerEntry(subscription=subscription(subscription_id=life(number), started_at=day(started)))
        )
    row = await ledger.get_subscription("kim_1")
    assert row is not None
    assert row.subscription_id == life(1)


async def test_charges_page_oldest_first_and_are_found_by_customer_and_by_life(ledger: Ledger) -> None:
    for number in range(2):
        for cycle in (3, 1, 2):
            made = intent(
                cycle,
                subscription_id=life(number),
                merchant_uid=cycle_merchant_uid(life(number), cycle),
                customer_uid=f"c{number}",
            )
            await ledger.record(LedgerEntry(intents=(made,)))
    seen: list[str] = []
    after: Cursor | None = None
    while page := await ledger.list_charges(limit=2, after=after):
        seen += [row.merchant_uid for row in page]
        after = page[-1].cursor
    assert seen == [cycle_merchant_uid(life(number), cycle) for cycle in (1, 2, 3) for number in (0, 1)]
    assert [row.cycle for row in await ledger.list_charges(customer_uid="c1")] == [1, 2, 3]
    assert {row.customer_uid for row in await ledger.list_charges(subscription_id=life(0))} == {"c0"}
    assert len(await ledger.list_charges()) == 6


async def test_billing_keys_page_by_name(ledger: Ledger) -> None:
    for name in ("c", "a", "b"):
        await ledger.record(LedgerEntry(billing_key=key(name)))
    await ledger.record(LedgerEntry(deleted_billing_key="b"))
    first = await ledger.list_billing_keys(limit=2)
    assert [row.key.customer_uid for row in first] == ["a", "b"]
    assert [row.key.customer_uid for row in await ledger.list_billing_keys(after="b")] == ["c"]
    assert [row.key.customer_uid for row in await ledger.list_billing_keys(deleted=False)] == ["a", "c"]


@pytest.mark.parametrize("word", ["", "x", "%%%", "한글", "bm90IGEgY3Vyc29y", Cursor(day(0), "a\nb").encode()])
def test_a_made_up_cursor_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        Cursor.decode(word)


def test_a_cursor_survives_being_a_word() -> None:
    seoul = Cursor(day(1).astimezone(timezone(timedelta(hours=9))), "s 1")
    assert Cursor.decode(seoul.encode()) == seoul
    assert Cursor.decode(seoul.encode()).at.tzinfo is UTC


async def test_every_instant_comes_back_as_the_same_instant_in_utc(ledger: Ledger) -> None:
    seoul = day(1).astimezone(timezone(timedelta(hours=9)))
    await ledger.receive_webhook(ReceivedWebhook("imps_1", "m", "paid", "token"), seoul)
    (hook,) = await ledger.list_webhooks()
    assert (hook.first_at, hook.first_at.tzinfo) == (seoul, UTC)
    await ledger.record(LedgerEntry(subscription=subscription(started_at=day(1), ended_at=day(400))))
    row = await ledger.get_subscription("kim_1")
    assert row is not None
    for instant in (row.started_at, row.ended_at, row.created_at, row.updated_at):
        assert instant is not None
        assert instant.tzinfo is UTC
    assert row.started_at == day(1)
