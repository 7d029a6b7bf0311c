"""How far a test clock moves its two worlds in one step, however busy the machine is."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from api.clock import SubscriptionClock

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
FIRED = timedelta(milliseconds=1)


class Clock(SubscriptionClock):
    """A clock over a workflow whose own time and snapshots are given."""

    def __init__(self, there, *snapshots):
        self.there, self.snapshots = there, list(snapshots)
        self._skipper, self._handle = self, None
        self.moved = []

    async def get_current_time(self, _handle):
        return self.there

    async def _emulator(self, _session, _keys, *, to):
        self.moved.append(("portone", to))
        return to, None

    async def _fast_forward(self, distance):
        self.there += distance
        self.moved.append(("workflow", self.there))
        return True

    async def _is_running(self):
        return True

    async def _at_rest(self):
        self.moved.append("at rest")
        return True, self.snapshots.pop(0)


def waking(at):
    return SimpleNamespace(wakes_at=at)


@pytest.mark.parametrize("apart", [timedelta(0), 0.7 * SECOND, 90 * SECOND, -0.7 * SECOND])
async def test_a_workflow_is_moved_to_its_timer_by_its_own_clock_and_not_a_moment_behind_it(apart):
    assert await Clock(NOON + apart)._distance(NOON, NOON + DAY) == DAY - apart


async def test_a_workflow_that_was_left_behind_is_moved_as_far_as_portone_and_stays_behind():
    assert await Clock(NOON - DAY)._distance(NOON, NOON + 3 * DAY) == 3 * DAY


async def test_a_timer_that_fires_late_is_waited_for_and_what_follows_it_is_not_jumped_over():
    late = [waking(NOON - SECOND)] * 15
    clock = Clock(NOON, *late, waking(NOON + DAY))
    assert await clock._wakes_after(NOON, waking(NOON - SECOND)) == NOON + DAY + FIRED
    assert clock.snapshots == []


async def test_a_timer_that_lies_ahead_by_the_workflows_own_clock_is_not_waited_for():
    assert await Clock(NOON - DAY)._wakes_after(NOON, waking(NOON - SECOND)) is None


@pytest.mark.parametrize(
    ("wakes", "due", "expected"),
    [
        (NOON + DAY, NOON + DAY, NOON + DAY + FIRED),
        (NOON + DAY, NOON + DAY + SECOND, NOON + DAY + FIRED),
        (NOON + DAY + SECOND, NOON + DAY, NOON + DAY),
        (NOON + DAY, None, NOON + DAY + FIRED),
        (None, NOON + DAY, NOON + DAY),
        (None, None, NOON + 2 * DAY),
    ],
)
async def test_the_workflow_is_first_at_an_instant_that_both_wait_for(wakes, due, expected):
    clock = Clock(NOON)
    assert await clock._next_instant(waking(wakes), NOON, due, NOON + 2 * DAY) == expected


async def test_at_an_instant_of_both_the_workflow_has_come_to_rest_before_portone_reaches_it():
    clock = Clock(NOON, waking(NOON + DAY), waking(NOON + 3 * DAY))
    assert await clock._move_workflow(None, [], NOON, NOON + DAY, NOON + DAY + FIRED)
    (whose, before), *after = clock.moved
    assert whose == "portone"
    assert NOON < before < NOON + DAY
    # Looked at twice: the first time its timer had not fired yet.
    assert after == [("workflow", NOON + DAY + FIRED), "at rest", "at rest"]


@pytest.mark.parametrize("due", [None, NOON + DAY, NOON + 2 * DAY])
async def test_where_only_one_of_them_has_something_to_do_portone_is_not_kept_back(due):
    clock = Clock(NOON)
    assert await clock._move_workflow(None, [], NOON, due, NOON + DAY)
    assert clock.moved == [("workflow", NOON + DAY)]
