"""Deliveries of outgoing events: attempts, replays, bells and the secrets that sign them."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from billing.domain.delivery import DISABLE_AFTER, MAX_ATTEMPTS, DeliveryState
from billing.ledger import (
    EventStream,
    Ledger,
    LedgerError,
    Sent,
)
from billing.signing import new_secret
from tests.ledger.conftest import Database
from tests.ledger.event_stories import KEYS, SOON, attempt, endpoint, entry, states, turn
from tests.ledger.stories import day, everything

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
