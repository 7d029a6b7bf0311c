"""The open period's schedule: since when PortOne has not shown one that ought to stand."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.domain.subscription.schedule import ChargedBy, Schedule

FIRST = datetime(2026, 3, 5, tzinfo=UTC)
LATER = FIRST + timedelta(days=6)


def test_it_is_missing_since_the_first_look_that_did_not_show_it():
    schedule = Schedule(stands=True)
    assert schedule.is_not_shown(FIRST) == FIRST
    assert schedule.is_not_shown(LATER) == FIRST


@pytest.mark.parametrize(
    "between",
    [
        lambda schedule: schedule.is_shown(),
        lambda schedule: schedule.is_revoked(),
        lambda schedule: schedule.stands_no_more(),
        lambda schedule: schedule.has_arrived(FIRST, ChargedBy.SCHEDULE),
        lambda schedule: schedule.is_followed(ChargedBy.SCHEDULE),
    ],
    ids=["shown", "revoked", "stands no more", "registered anew", "followed"],
)
def test_one_that_was_shown_or_is_another_one_is_missing_from_the_next_look_on(between):
    schedule = Schedule(stands=True)
    schedule.is_not_shown(FIRST)
    between(schedule)
    assert schedule.is_not_shown(LATER) == LATER


@pytest.mark.parametrize(
    "stands",
    [
        lambda schedule: schedule.is_followed(ChargedBy.SCHEDULE),
        lambda schedule: schedule.stands_after_all(),
        lambda schedule: schedule.has_arrived(LATER, ChargedBy.SCHEDULE),
        lambda schedule: schedule.begin(anew=True),
        lambda schedule: schedule.wait_for_another_number(),
    ],
    ids=["set up in the console", "out of doubt", "registered again", "to be registered again", "another number"],
)
def test_our_own_revoke_is_forgotten_once_it_stands_so_that_a_later_one_is_somebody_else_s(stands):
    schedule = Schedule(stands=True)
    schedule.is_said_revoked(FIRST)
    stands(schedule)
    assert schedule.revoked_at is None
