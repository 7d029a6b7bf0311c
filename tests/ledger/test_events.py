"""Outgoing events: written once, in order, with a delivery for whoever wants them."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from billing.domain.delivery import DISABLE_AFTER, MAX_ATTEMPTS, DeliveryState
from billing.domain.event_catalogue import PING
from billing.domain.events import EventType, OutgoingEvent
from billing.domain.records import Disposition, LedgerEntry, RefundState, WebhookDisposition
from billing.ledger import (
    EventStream,
    Ledger,
    LedgerConflictError,
    LedgerError,
    ReceivedWebhook,
    Sent,
    SubscriptionRow,
)
from billing.ledger.engine import reading
from billing.signing import new_secret
from tests.ledger.conftest import Database
from tests.ledger.stories import day, everything, intent, order, paid, refund, subscription

KEYS = (bytes(range(32)),)
SOON = timedelta(seconds=5)


def told(number: int, customer_uid: str = "kim_1", **changes: object) -> OutgoingEvent:
    made = OutgoingEvent(
        event_id=f"evt_{customer_uid}_{number}",
        type=EventType.CHARGE_PAID,
        at=day(number),
        customer_uid=customer_uid,
        summary=f"paid for period {number}",
        data={"customer_uid": customer_uid, "amount": 9900, "이름": "월간"},
    )
    return replace(made, **changes)


def entry(*numbers: int, customer_uid: str = "kim_1", **changes: object) -> LedgerEntry:
    return LedgerEntry(events=tuple(told(number, customer_uid, **changes) for number in numbers))


async def endpoint(ledger: Ledger, name: str = "a", *, types: list[str] | None = None) -> str:
    added = await ledger.event_endpoints(KEYS).add(
        f"ep_{name}", f"https://{name}.example.com/", new_secret(), event_types=types, description=None
    )
    assert added is not None
    return added.endpoint_id


async def attempt(ledger: Ledger, target: str, number: int, status: int | None, *, at: float = 0, count: int = 1):
    """One attempt, opened and closed; answers how it was closed."""
    deliveries = ledger.event_deliveries(KEYS)
    event_id = told(number).event_id
    parcel = await deliveries.open_attempt(target, event_id, count, day(at), day(at))
    assert parcel is not None
    following = None if count == MAX_ATTEMPTS else day(at) + SOON
    return await deliveries.close_attempt(target, event_id, count, Sent(status), at=day(at), next_at=following)


async def turn(ledger: Ledger, target: str, at: float = 0, customer_uid: str = "kim_1"):
    return await ledger.event_deliveries(KEYS).next_turn(target, customer_uid, day(at))


async def states(ledger: Ledger, target: str) -> dict[str, str]:
    rows = await ledger.events.deliveries(endpoint_id=target, limit=200)
    return {row.event_id.rpartition("_")[2]: row.state.value for row in rows}


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


# ---------------------------------------------------------------- attempts


async def test_an_attempt_is_opened_for_one_caller_ever(ledger: Ledger) -> None:
    target = await endpoint(ledger)
    await ledger.record(entry(1))
    deliveries = ledger.event_deliveries(KEYS)
    opened = await asyncio.gather(
        *(deliveries.open_attempt(target, "evt_kim_1_1", 1, day(0), day(0)) for _ in range(5))
    )
    assert sum(parcel is not None for parcel in opened) == 1
    assert await deliveries.open_attempt(target, "evt_kim_1_1", 3, day(0), day(0)) is None
    found = await turn(ledger, target)
    assert (found.attempts, found.due_at) == (1, day(0) + SOON)


async def test_a_process_that_dies_during_its_last_attempt_leaves_it_parked(ledger: Ledger) -> None:
    target = await endpoint(ledger)
    await ledger.record(entry(1, 2))
    for count in range(1, MAX_ATTEMPTS):
        await attempt(ledger, target, 1, 500, count=count)
    opened = await ledger.event_deliveries(KEYS).open_attempt(target, "evt_kim_1_1", MAX_ATTEMPTS, day(3), day(3))
    assert opened is not None
    waiting = await turn(ledger, target, 3)
    assert (waiting.event_id, waiting.attempts) == ("evt_kim_1_1", MAX_ATTEMPTS)
    assert (await turn(ledger, target, 4)).event_id == "evt_kim_1_2"
    assert await states(ledger, target) == {"1": "parked", "2": "pending"}


async def test_the_last_failure_parks_an_event_and_the_next_has_its_turn(ledger: Ledger) -> None:
    target = await endpoint(ledger)
    await ledger.record(entry(1, 2))
    for count in range(1, MAX_ATTEMPTS + 1):
        closed = await attempt(ledger, target, 1, 500, count=count)
    assert closed.state is DeliveryState.PARKED
    assert (await turn(ledger, target)).event_id == "evt_kim_1_2"


async def test_410_disables_the_endpoint_at_once_and_skips_what_waits(ledger: Ledger) -> None:
    target = await endpoint(ledger)
    await ledger.record(entry(1, 2))
    closed = await attempt(ledger, target, 1, 410)
    assert (closed.state, closed.disabled_reason) == (DeliveryState.SKIPPED, "it answered 410 Gone")
    assert await states(ledger, target) == {"1": "skipped", "2": "skipped"}
    assert not (await ledger.event_endpoints(KEYS).get(target)).enabled


async def test_five_days_of_nothing_but_failures_disable_an_endpoint(ledger: Ledger) -> None:
    target = await endpoint(ledger)
    await ledger.record(entry(1, 2))
    for number in range(int(DISABLE_AFTER / timedelta(days=1))):
        assert (await attempt(ledger, target, 1, 500, at=number, count=number + 1)).disabled_reason is None
    closed = await attempt(ledger, target, 1, None, at=5, count=6)
    assert (closed.state, closed.disabled_reason) == (DeliveryState.SKIPPED, "it failed for 5 days")


async def test_a_success_or_a_long_silence_begins_a_new_series(ledger: Ledger) -> None:
    target = await endpoint(ledger)
    await ledger.record(entry(1, 2, 3))
    endpoints = ledger.event_endpoints(KEYS)
    await attempt(ledger, target, 1, 500, at=0)
    assert (await endpoints.get(target)).failing_since == day(0)
    await attempt(ledger, target, 1, 200, at=1, count=2)
    assert (await endpoints.get(target)).failing_since is None
    await attempt(ledger, target, 2, 500, at=2)
    assert (await attempt(ledger, target, 2, 500, at=40, count=2)).disabled_reason is None
    assert (await endpoints.get(target)).failing_since == day(40)


async def test_what_was_delivered_is_delivered_though_it_was_disabled_meanwhile(ledger: Ledger) -> None:
    target = await endpoint(ledger)
    await ledger.record(entry(1))
    deliveries = ledger.event_deliveries(KEYS)
    await deliveries.open_attempt(target, "evt_kim_1_1", 1, day(0), day(0))
    await ledger.event_endpoints(KEYS).change(target, {"enabled": False})
    closed = await deliveries.close_attempt(target, "evt_kim_1_1", 1, Sent(200), at=day(0), next_at=day(1))
    assert closed.state is DeliveryState.DELIVERED


# ---------------------------------------------------------------- replaying


async def test_a_replayed_event_waits_again_with_all_its_attempts(ledger: Ledger) -> None:
    target = await endpoint(ledger)
    await ledger.record(entry(1, 2))
    for count in range(1, MAX_ATTEMPTS + 1):
        await attempt(ledger, target, 1, 500, count=count)
    await ledger.events.mark_rung([EventStream(target, "kim_1", 2)], day(0))
    assert await ledger.events.replay("evt_kim_1_1") == (EventStream(target, "kim_1", 1),)
    found = await turn(ledger, target)
    assert (found.event_id, found.attempts, found.due_at) == ("evt_kim_1_1", 0, None)
    rows = await ledger.events.deliveries(event_id="evt_kim_1_1")
    assert [(row.state, row.replays) for row in rows] == [(DeliveryState.PENDING, 1)]


async def test_an_event_is_replayed_to_an_endpoint_it_was_not_meant_for_when_that_is_named(ledger: Ledger) -> None:
    await ledger.record(entry(1))
    later = await endpoint(ledger, "later")
    assert await ledger.events.replay("evt_kim_1_1") is None
    assert await ledger.events.replay("evt_kim_1_1", later) == (EventStream(later, "kim_1", 1),)
    assert await ledger.events.replay("evt_none") is None
    await ledger.event_endpoints(KEYS).change(later, {"enabled": False})
    assert await ledger.events.replay("evt_kim_1_1", later) is None


async def test_an_attempt_that_a_replay_overtook_does_not_end_the_replay(ledger: Ledger) -> None:
    target = await endpoint(ledger)
    await ledger.record(entry(1))
    deliveries = ledger.event_deliveries(KEYS)
    await deliveries.open_attempt(target, "evt_kim_1_1", 1, day(0), day(0))
    await ledger.events.replay("evt_kim_1_1")
    closed = await deliveries.close_attempt(target, "evt_kim_1_1", 1, Sent(500), at=day(0), next_at=day(1))
    assert closed.state is DeliveryState.PENDING
    assert (await turn(ledger, target)).due_at is None


# ---------------------------------------------------------------- ringing


async def to_be_rung(ledger: Ledger, *, ago: timedelta = timedelta(0)) -> set[str]:
    now = (await ledger.events.page(newest_first=True, limit=1))[0].created_at
    rows = await ledger.events.to_be_rung(
        older_than=now + timedelta(hours=1) - ago, overdue=now + timedelta(hours=1) - ago
    )
    return {row.customer_uid for row in rows}


async def test_a_bell_that_was_never_rung_is_found_once_it_is_old_enough(ledger: Ledger) -> None:
    target = await endpoint(ledger)
    await ledger.record(entry(1))
    assert await to_be_rung(ledger, ago=timedelta(hours=2)) == set()
    assert await to_be_rung(ledger) == {"kim_1"}
    now = (await ledger.events.page())[0].created_at
    await ledger.events.mark_rung([EventStream(target, "kim_1", 1)], now + timedelta(hours=2))
    assert await to_be_rung(ledger) == set()


async def test_a_bell_says_nothing_of_what_came_after_it(ledger: Ledger) -> None:
    target = await endpoint(ledger)
    (rung,) = await ledger.record(entry(1))
    await ledger.record(entry(2))
    now = (await ledger.events.page())[0].created_at
    await ledger.events.mark_rung([rung], now + timedelta(hours=2))
    assert await to_be_rung(ledger) == {"kim_1"}
    await ledger.events.mark_rung([EventStream(target, "kim_1", 2)], now + timedelta(hours=2))
    assert await to_be_rung(ledger) == set()


async def test_an_order_whose_run_is_gone_is_found_by_its_first_event_being_overdue(ledger: Ledger) -> None:
    target = await endpoint(ledger)
    await ledger.record(entry(1, 2))
    now = (await ledger.events.page())[0].created_at
    await ledger.events.mark_rung([EventStream(target, "kim_1", 2)], now)
    assert await to_be_rung(ledger) == {"kim_1"}
    # While the first is waited for, the second is no sign of anything.
    deliveries = ledger.event_deliveries(KEYS)
    await deliveries.open_attempt(target, "evt_kim_1_1", 1, day(0), day(0))
    later = now + timedelta(days=1)
    await deliveries.close_attempt(target, "evt_kim_1_1", 1, Sent(500), at=day(0), next_at=later)
    assert await to_be_rung(ledger) == set()


# ---------------------------------------------------------------- secrets


async def test_a_secret_is_sealed_and_opened_only_for_its_endpoint(ledger: Ledger, database: Database) -> None:
    secret, newer = new_secret(), new_secret()
    endpoints, deliveries = ledger.event_endpoints(KEYS), ledger.event_deliveries(KEYS)
    added = await endpoints.add("ep_a", "https://a.example.com/", secret, event_types=None, description=None)
    await endpoints.rotate("ep_a", newer, day(1))
    await ledger.record(entry(1, 2))
    both = await deliveries.open_attempt("ep_a", "evt_kim_1_1", 1, day(0), day(0.5))
    assert both.secrets == (newer, secret)
    alone = await deliveries.open_attempt("ep_a", "evt_kim_1_2", 1, day(0), day(1))
    assert alone.secrets == (newer,)
    for shown in (repr(added), repr(both), repr(await endpoints.all()), repr(await everything(ledger))):
        assert secret not in shown
        assert newer not in shown
    if database.backend == "sqlite":
        assert secret[6:].encode() not in database.files_bytes()


async def test_a_secret_moved_to_another_endpoint_or_under_an_unknown_key_signs_nothing(ledger: Ledger) -> None:
    await endpoint(ledger)
    await endpoint(ledger, "b")
    await ledger.record(entry(1))
    other = ledger.event_deliveries((bytes(32),))
    with pytest.raises(LedgerError, match="is not configured"):
        await other.open_attempt("ep_a", "evt_kim_1_1", 1, day(0), day(0))
    async with ledger.engine.begin() as connection:
        moved = "UPDATE event_endpoints SET secret = (SELECT secret FROM event_endpoints WHERE endpoint_id = 'ep_b')"
        await connection.execute(text(moved))
    with pytest.raises(LedgerError, match="cannot be read"):
        await ledger.event_deliveries(KEYS).open_attempt("ep_a", "evt_kim_1_1", 1, day(0), day(0))
    assert (await turn(ledger, "ep_a")).attempts == 0


async def test_secrets_are_sealed_anew_so_that_an_old_key_may_go(ledger: Ledger) -> None:
    await endpoint(ledger)
    await ledger.event_endpoints(KEYS).rotate("ep_a", "whsec_bmV3ZXI=", day(9))
    newer = bytes(32)
    assert await ledger.event_endpoints((newer, *KEYS)).reseal() == 1
    assert await ledger.event_endpoints((newer, *KEYS)).reseal() == 0
    await ledger.record(entry(1))
    parcel = await ledger.event_deliveries((newer,)).open_attempt("ep_a", "evt_kim_1_1", 1, day(0), day(0))
    assert parcel.secrets[0] == "whsec_bmV3ZXI="
    assert len(parcel.secrets) == 2


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
