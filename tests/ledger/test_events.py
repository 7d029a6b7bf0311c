"""Outgoing events: written once, in order, with a delivery for whoever wants them."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text

from billing.domain.delivery import DeliveryState
from billing.domain.event_catalogue import PING
from billing.domain.events import EventType
from billing.domain.records import Disposition, LedgerEntry, RefundState, WebhookDisposition
from billing.ledger import (
    EventStream,
    Ledger,
    LedgerConflictError,
    ReceivedWebhook,
    SubscriptionRow,
)
from billing.ledger.engine import reading
from billing.signing import new_secret
from tests.ledger.event_stories import KEYS, SOON, attempt, endpoint, entry, states, told, turn
from tests.ledger.stories import day, everything, intent, order, paid, refund, subscription

# ---------------------------------------------------------------- written once


async def test_an_event_written_again_changes_nothing_and_is_rung_for_while_nobody_was(ledger: Ledger) -> None:
    target = await endpoint(ledger)
    assert await ledger.record(entry(1, 2)) == (EventStream(target, "kim_1", 2),)
    before = await everything(ledger)
    assert await ledger.record(entry(1, 2)) == (EventStream(target, "kim_1", 2),)
    assert await ledger.record(entry(2, 1, 2, 1)) == (EventStream(target, "kim_1", 2),)
    assert await everything(ledger) == before
    await ledger.events.mark_rung([EventStream(target, "kim_1", 2)], day(0))
    assert await ledger.record(entry(1, 2)) == ()


async def test_the_first_telling_of_an_event_stays(ledger: Ledger) -> None:
    await ledger.record(entry(1))
    await ledger.record(entry(1, summary="another story", data={}))
    row = await ledger.events.get("evt_kim_1_1")
    assert row is not None
    assert (row.summary, row.data["이름"]) == ("paid for period 1", "월간")


async def test_an_event_id_of_another_customer_uid_is_a_conflict_and_nothing_is_written(ledger: Ledger) -> None:
    await ledger.record(entry(1))
    before = await everything(ledger)
    stolen = replace(told(1), customer_uid="lee_1")
    with pytest.raises(LedgerConflictError, match="evt_kim_1_1"):
        await ledger.record(LedgerEntry(intents=(intent(),), events=(stolen,)))
    assert await everything(ledger) == before


async def test_events_of_a_superseded_step_are_neither_lost_nor_doubled(ledger: Ledger) -> None:
    newer = LedgerEntry(subscription=subscription(5), events=(told(2),))
    older = LedgerEntry(subscription=subscription(4, card="old"), events=(told(1),))
    await ledger.record(newer)
    for _ in range(3):
        await ledger.record(older)
        await ledger.record(newer)
    assert [row.event_id for row in await ledger.events.page()] == ["evt_kim_1_2", "evt_kim_1_1"]
    stored = await ledger.get_subscription("kim_1")
    assert isinstance(stored, SubscriptionRow)
    assert stored.revision == 5


async def test_a_step_that_is_refused_tells_nothing(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(intents=(intent(),)))
    wrong = LedgerEntry(intents=(replace(intent(), workflow_id="another"),), events=(told(1),))
    with pytest.raises(LedgerConflictError):
        await ledger.record(wrong)
    assert await ledger.events.page() == []


# ---------------------------------------------------------------- in order


async def test_writers_that_race_number_one_order_without_a_gap(ledger: Ledger) -> None:
    target = await endpoint(ledger)
    await asyncio.gather(*(ledger.record(entry(n)) for n in range(20)), *(ledger.record(entry(n)) for n in range(20)))
    rows = await ledger.events.page(customer_uid="kim_1", limit=100)
    assert sorted(row.sequence for row in rows) == list(range(1, 21))
    assert len({row.event_id for row in rows}) == 20
    assert len(await ledger.events.deliveries(endpoint_id=target, limit=100)) == 20


async def test_writers_of_several_orders_never_wait_for_each_other_in_a_circle(ledger: Ledger) -> None:
    uids = ["kim_1", "lee_1", "park_1"]

    def mixed(number: int) -> LedgerEntry:
        turned = uids[number % 3 :] + uids[: number % 3]
        return LedgerEntry(events=tuple(told(number, uid) for uid in turned))

    await asyncio.gather(*(ledger.record(mixed(number)) for number in range(12)))
    for uid in uids:
        rows = await ledger.events.page(customer_uid=uid)
        assert sorted(row.sequence for row in rows) == list(range(1, 13))


async def test_a_turn_is_always_that_of_the_first_that_waits(ledger: Ledger) -> None:
    target = await endpoint(ledger)
    await ledger.record(entry(1, 2, 3))
    found = await turn(ledger, target)
    assert (found.event_id, found.attempts, found.due_at) == ("evt_kim_1_1", 0, None)
    await attempt(ledger, target, 1, 500)
    found = await turn(ledger, target, 1)
    assert (found.event_id, found.attempts, found.due_at) == ("evt_kim_1_1", 1, day(0) + SOON)
    await attempt(ledger, target, 1, 200, count=2)
    assert (await turn(ledger, target)).event_id == "evt_kim_1_2"
    assert await turn(ledger, target, customer_uid="lee_1") is None


# ---------------------------------------------------------------- who gets what


async def test_without_endpoints_nothing_is_to_be_rung_and_nothing_waits(ledger: Ledger) -> None:
    assert await ledger.record(entry(1)) == ()
    assert await ledger.events.deliveries() == []
    target = await endpoint(ledger)
    assert await turn(ledger, target) is None


async def test_an_endpoint_gets_what_it_listens_to(ledger: Ledger) -> None:
    every = await endpoint(ledger, "every")
    some = await endpoint(ledger, "some", types=["charge.paid"])
    none = await endpoint(ledger, "none", types=["charge.declined"])
    rung = await ledger.record(entry(1))
    assert {each.endpoint_id for each in rung} == {every, some}
    assert await states(ledger, none) == {}


async def test_a_disabled_endpoint_gets_nothing_and_a_row_that_says_what_it_missed(ledger: Ledger) -> None:
    target = await endpoint(ledger)
    endpoints = ledger.event_endpoints(KEYS)
    await ledger.record(entry(1))
    disabled = await endpoints.change(target, {"enabled": False})
    assert (disabled.enabled, disabled.disabled_reason) == (False, "by hand")
    assert await ledger.record(entry(2)) == ()
    assert await states(ledger, target) == {"1": "skipped", "2": "skipped"}
    assert await turn(ledger, target) is None
    assert await ledger.event_deliveries(KEYS).open_attempt(target, "evt_kim_1_1", 1, day(0), day(0)) is None
    enabled = await endpoints.change(target, {"enabled": True})
    assert (enabled.enabled, enabled.disabled_reason) == (True, None)
    assert await turn(ledger, target) is None
    assert await ledger.record(entry(3)) == (EventStream(target, "kim_1", 3),)


async def test_an_event_that_slipped_past_the_disabling_is_skipped_at_its_turn(ledger: Ledger) -> None:
    """On PostgreSQL a step may see an endpoint as enabled that is disabled before it commits."""
    target = await endpoint(ledger)
    await ledger.record(entry(1))
    async with ledger.engine.begin() as connection:
        await connection.execute(text("UPDATE event_endpoints SET enabled = false"))
    assert await turn(ledger, target) is None
    assert await states(ledger, target) == {"1": "skipped"}


async def test_a_deleted_endpoint_is_gone_with_its_secrets_and_its_address_is_free_again(ledger: Ledger) -> None:
    target = await endpoint(ledger)
    await ledger.record(entry(1))
    endpoints = ledger.event_endpoints(KEYS)
    assert await endpoints.delete(target, day(0))
    assert not await endpoints.delete(target, day(0))
    assert await endpoints.get(target) is None
    assert await endpoints.all() == []
    assert await states(ledger, target) == {"1": "skipped"}
    async with reading(ledger.engine) as connection:
        secrets = (await connection.execute(text("SELECT secret, previous_secret FROM event_endpoints"))).all()
    assert [tuple(row) for row in secrets] == [(None, None)]
    again = await endpoints.add("ep_b", "https://a.example.com/", new_secret(), event_types=None, description=None)
    assert again is not None


async def test_one_address_has_one_living_endpoint(ledger: Ledger) -> None:
    await endpoint(ledger)
    other = await endpoint(ledger, "other")
    endpoints = ledger.event_endpoints(KEYS)
    twin = await endpoints.add("ep_c", "https://a.example.com/", new_secret(), event_types=None, description=None)
    assert twin is None
    with pytest.raises(LedgerConflictError):
        await endpoints.change(other, {"url": "https://a.example.com/"})


async def test_a_ping_goes_to_its_endpoint_alone_whatever_it_listens_to(ledger: Ledger) -> None:
    target = await endpoint(ledger, "target", types=["charge.declined"])
    await endpoint(ledger, "other")
    endpoints = ledger.event_endpoints(KEYS)
    assert await endpoints.ping(target, "ping_1", day(0)) == (EventStream(target, f"endpoint/{target}", 1),)
    rows = await ledger.events.deliveries()
    assert [(row.endpoint_id, row.type) for row in rows] == [(target, PING)]
    await endpoints.change(target, {"enabled": False})
    assert await endpoints.ping(target, "ping_2", day(0)) is None


# ---------------------------------------------------------------- reading


async def test_events_are_paged_by_number_either_way_and_filtered(ledger: Ledger) -> None:
    await ledger.record(entry(1, 2, 3))
    await ledger.record(entry(1, customer_uid="lee_1", type=EventType.CHARGE_DECLINED))
    every = await ledger.events.page()
    assert [row.event_no for row in every] == sorted(row.event_no for row in every)
    assert await ledger.events.page(after=every[1].event_no) == every[2:]
    assert await ledger.events.page(newest_first=True, limit=2) == every[:1:-1]
    assert await ledger.events.page(newest_first=True, after=every[1].event_no) == every[:1]
    assert await ledger.events.page(customer_uid="lee_1") == every[3:]
    assert await ledger.events.page(type_name="charge.declined") == every[3:]


async def test_deliveries_are_paged_newest_event_first(ledger: Ledger) -> None:
    for name in ("a", "b"):
        await endpoint(ledger, name)
    await ledger.record(entry(1, 2))
    every = await ledger.events.deliveries()
    assert [(row.event_id[-1], row.endpoint_id[-1]) for row in every] == [
        ("2", "b"),
        ("2", "a"),
        ("1", "b"),
        ("1", "a"),
    ]
    assert await ledger.events.deliveries(after=every[1].cursor) == every[2:]
    assert await ledger.events.deliveries(state=DeliveryState.PARKED) == []
    assert len(await ledger.events.deliveries(customer_uid="kim_1", endpoint_id="ep_a")) == 2


async def test_the_history_of_a_customer_uid_is_one_list_in_time(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(subscription=subscription(), intents=(intent(),)))
    await ledger.record(replace(paid(at=1), events=(told(1, at=day(1.5)),)))
    await ledger.receive_webhook(ReceivedWebhook("imps_1", order(), "paid", "token"), day(0.5))
    await ledger.record(LedgerEntry(webhooks=(WebhookDisposition(order(), "imps_1", "paid", Disposition.APPLIED),)))
    await ledger.record(LedgerEntry(refunds=(refund(RefundState.REFUNDED, 3, cancellation_id="c1"),)))
    await ledger.record(LedgerEntry(intents=(replace(intent(), merchant_uid="p9", subscription_id=None, cycle=None),)))
    lines = await ledger.history("kim_1")
    assert [(row.at, row.kind, row.name) for row in lines] == [
        (day(0.5), "webhook", "paid"),
        (day(1), "charge", "paid"),
        (day(1.5), "event", "charge.paid"),
        (day(3), "refund", "refunded"),
    ]
    assert [(row.amount, row.currency) for row in lines] == [(None, None), (9900, "KRW"), (None, None), (4000, "KRW")]
    assert await ledger.history("kim_1", limit=2) == lines[:2]
    assert await ledger.history("kim_1", after=(lines[1].at, lines[1].id)) == lines[2:]
    assert await ledger.history("lee_1") == []
