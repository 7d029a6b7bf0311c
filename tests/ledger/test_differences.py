"""Differences: opened once, told once, resolved when they are gone, accepted by somebody with a reason."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.differences import Difference, DifferenceState, Found, RunState, Subject
from billing.domain.events import OutgoingEvent
from billing.domain.money import Money
from billing.domain.records import LedgerEntry
from billing.domain.windows import Window
from billing.ledger import Cursor, DifferenceRow, Ledger
from tests.ledger.stories import LIFE, day, everything, order

OPEN, RESOLVED, ACCEPTED = DifferenceState.OPEN, DifferenceState.RESOLVED, DifferenceState.ACCEPTED
TWICE = Found(
    kind=Difference.PAID_TWICE,
    portone="paid 9,900 KRW",
    ledger="paid by imps_1",
    merchant_uid=order(),
    imp_uid="imps_2",
    customer_uid="kim_1",
    amount=Money(9900),
    subscription_id=LIFE,
    started_under="kim_1",
    workflow_id="subscription/kim_1",
)
MOVED = replace(TWICE, kind=Difference.SCHEDULE_MOVED_ELSEWHERE, imp_uid="", detail="2027-03-01T00:00:00Z", amount=None)
KEY = replace(TWICE, kind=Difference.KEY_DELETED_ELSEWHERE, merchant_uid="", imp_uid="", amount=None)
SUBJECT = Subject(order())


async def note(
    ledger: Ledger, run_id: str, *found: Found, subject: Subject = SUBJECT, at: float = 0, **more: Any
) -> Any:
    return await ledger.differences.note(run_id, subject, found, day(at), **more)


async def rows(ledger: Ledger) -> Sequence[DifferenceRow]:
    return (await ledger.differences.page(limit=100))[::-1]


async def states(ledger: Ledger) -> list[tuple[Difference, DifferenceState]]:
    return [(row.kind, row.state) for row in await rows(ledger)]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[OutgoingEvent]:
    """What the world outside was told, in order."""
    events: list[OutgoingEvent] = []

    async def tell(_connection: AsyncConnection, entry: LedgerEntry) -> None:
        events.extend(entry.events)

    monkeypatch.setattr("billing.ledger.differences.write_entry", tell)
    return events


async def test_a_difference_found_again_is_the_same_row_and_is_told_once(
    ledger: Ledger, told: list[OutgoingEvent]
) -> None:
    first = await note(ledger, "run 1", TWICE, MOVED)
    assert (len(first.standing), first.opened) == (2, (TWICE.kind, MOVED.kind))
    again = await note(ledger, "run 2", replace(TWICE, portone="other words"), MOVED, at=2)
    assert (set(again.standing), again.opened, again.resolved) == (set(first.standing), (), 0)
    row, _ = await rows(ledger)
    assert (row.first_seen, row.last_seen, row.last_run, row.portone) == (day(0), day(2), "run 2", "other words")
    assert (row.amount, row.times_opened, row.subject) == (Money(9900), 1, Subject(order(), customer_uid="kim_1"))
    assert [event.data["kind"] for event in told] == [TWICE.kind.value, MOVED.kind.value]


async def test_the_same_look_written_twice_changes_nothing(ledger: Ledger) -> None:
    await note(ledger, "run 1", TWICE, MOVED)
    before = await everything(ledger)
    await note(ledger, "run 1", TWICE, MOVED)
    assert await everything(ledger) == before


async def test_what_a_later_look_no_longer_finds_is_resolved_and_opens_again_when_it_comes_back(
    ledger: Ledger, told: list[OutgoingEvent]
) -> None:
    (difference_id,) = (await note(ledger, "run 1", TWICE)).standing
    await ledger.differences.mark_rung([difference_id], day(1))
    assert (await note(ledger, "run 2", at=2)).resolved == 1
    (row,) = await rows(ledger)
    assert (row.state, row.resolved_at, row.last_run) == (RESOLVED, day(2), "run 1")
    assert (await note(ledger, "run 3", at=3)).resolved == 0
    back = await note(ledger, "run 4", TWICE, at=4)
    assert (set(back.standing), back.opened) == ({difference_id}, (TWICE.kind,))
    (row,) = await rows(ledger)
    assert (row.state, row.resolved_at, row.rung_at, row.times_opened) == (OPEN, None, None, 2)
    assert row.first_seen == day(0)
    assert len({event.event_id for event in told}) == 2


async def test_a_look_at_one_order_resolves_nothing_about_another(ledger: Ledger) -> None:
    await note(ledger, "run 1", TWICE)
    other = replace(TWICE, merchant_uid=order(2))
    await note(ledger, "run 1", other, subject=Subject(order(2)))
    await note(ledger, "run 1", KEY, subject=Subject(kind=KEY.kind, customer_uid="kim_1", subscription_id=LIFE))
    await note(ledger, "run 2", subject=Subject(order(2)))
    assert await states(ledger) == [(TWICE.kind, OPEN), (TWICE.kind, RESOLVED), (KEY.kind, OPEN)]
    missing = Subject(kind=Difference.WORKFLOW_MISSING, subscription_id=LIFE)
    assert (await note(ledger, "run 2", subject=missing)).resolved == 0
    assert (await note(ledger, "run 2", subject=(await rows(ledger))[2].subject)).resolved == 1


async def test_what_was_not_judged_is_not_resolved(ledger: Ledger) -> None:
    await note(ledger, "run 1", TWICE, MOVED)
    assert (await note(ledger, "run 2", judged=[Difference.PAID_TWICE])).resolved == 1
    assert await states(ledger) == [(TWICE.kind, RESOLVED), (MOVED.kind, OPEN)]


async def test_another_detail_is_another_row(ledger: Ledger) -> None:
    await note(ledger, "run 1", MOVED)
    await note(ledger, "run 2", replace(MOVED, detail="2027-04-01T00:00:00Z"))
    assert await states(ledger) == [(MOVED.kind, RESOLVED), (MOVED.kind, OPEN)]


async def test_what_somebody_accepted_stays_accepted_with_who_and_why(
    ledger: Ledger, told: list[OutgoingEvent]
) -> None:
    (difference_id,) = (await note(ledger, "run 1", TWICE)).standing
    assert await ledger.differences.accept(difference_id, "Kim", "agreed with the buyer", day(1))
    assert not await ledger.differences.accept(difference_id, "Lee", "me too", day(2))
    assert not await ledger.differences.accept(difference_id + 1, "Lee", "there is none", day(2))
    again = await note(ledger, "run 2", TWICE, at=3)
    assert (again.standing, again.opened) == ({}, ())
    assert (await note(ledger, "run 3")).resolved == 0
    row = await ledger.differences.get(difference_id)
    assert row is not None
    assert (row.state, row.accepted_by, row.accepted_why, row.accepted_at) == (
        ACCEPTED,
        "Kim",
        "agreed with the buyer",
        day(1),
    )
    assert not await ledger.differences.has_open(order())
    assert len(told) == 1
    assert await ledger.differences.get(difference_id + 1) is None


async def test_who_was_rung_in_this_run_is_not_rung_again_in_it(ledger: Ledger) -> None:
    noted = await note(ledger, "run 1", TWICE, MOVED)
    first, second = noted.standing
    assert set(noted.unrung(day(0))) == {first, second}
    await ledger.differences.mark_rung([first], day(1))
    again = await note(ledger, "run 1", TWICE, MOVED)
    assert set(again.unrung(day(0))) == {second}
    # The next run began after that.
    assert set(again.unrung(day(2))) == {first, second}


async def test_open_differences_that_a_run_has_not_met_page_oldest_first(ledger: Ledger) -> None:
    for cycle in range(1, 6):
        await note(ledger, "run 1", replace(TWICE, merchant_uid=order(cycle)), subject=Subject(order(cycle)))
    await note(ledger, "run 2", replace(TWICE, merchant_uid=order(3)), subject=Subject(order(3)))
    await note(ledger, "run 2", subject=Subject(order(4)))
    seen: list[str] = []
    after = 0
    while page := await ledger.differences.open_besides("run 2", after=after, limit=2):
        seen += [row.merchant_uid for row in page]
        after = page[-1].difference_id
    assert seen == [order(1), order(2), order(5)]
    assert await ledger.differences.has_open(order(3))
    listed = await ledger.differences.page(state=OPEN, limit=2)
    assert [row.merchant_uid for row in listed] == [order(5), order(3)]
    rest = await ledger.differences.page(state=OPEN, limit=9, after=listed[-1].difference_id)
    assert [row.merchant_uid for row in rest] == [order(2), order(1)]


async def test_two_looks_at_once_open_one_row(ledger: Ledger) -> None:
    looks = await asyncio.gather(*(note(ledger, f"run {number}", TWICE, MOVED) for number in range(4)))
    assert len(await rows(ledger)) == 2
    assert sum(len(look.opened) for look in looks) == 2


async def test_runs_are_kept_with_what_they_counted_and_how_they_ended(ledger: Ledger) -> None:
    runs, window = ledger.differences, Window(day(0), day(3))
    for number in range(3):
        await runs.begin_run(f"run {number}", window, day(80), day(number))
    await note(ledger, "run 0", TWICE, at=1)
    assert await runs.end_run("run 0", RunState.DONE, {"payments": 7}, day(1)) == (1, 1)
    assert await runs.end_run("run 1", RunState.FAILED, {}, day(2), "PortOne is away") == (0, 1)
    third, second, first = await runs.runs(10)
    assert (first.state, first.counts, first.ended_at) == (
        RunState.DONE,
        {"payments": 7, "differences": 1, "open": 1},
        day(1),
    )
    assert (second.state, second.error) == (RunState.FAILED, "PortOne is away")
    assert (third.state, third.counts, third.ended_at) == (RunState.RUNNING, {}, None)
    assert (first.window_start, first.window_end, first.schedules_end) == (day(0), day(3), day(80))
    assert [row.run_id for row in await runs.runs(2, Cursor.decode(third.cursor.encode()))] == ["run 1", "run 0"]
    await runs.begin_run("run 1", window, day(80), day(9))
    again = (await runs.runs(1))[0]
    assert (again.run_id, again.state, again.error, again.ended_at) == ("run 1", RunState.RUNNING, None, None)
