"""A life comes to the same charges wherever its worker dies, and wherever its run continues as new."""

import dataclasses

import pytest

from chaos.deaths import Deaths, Point
from chaos.every_event import CameTo, Lived, differs, every_point, points_of

SAME = CameTo("canceled", ((1, 9900, "paid"),), ((9900, 0),), ())
PLAIN = Lived(Point(), SAME, activities=10, events=40, runs=1)


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_killed_or_continued_at_any_point_a_life_comes_to_the_same(dev_server):
    # Each eightieth: all of them are `gudok chaos every-event`.
    plain, lives = await every_point(dev_server.client, lambda _lived: None, every=80)
    assert (plain.came_to.status, len(plain.came_to.ledger)) == ("canceled", 4)
    assert len(lives) >= 8
    told = [(str(lived.point), lived.died_at, why) for lived in lives if (why := differs(plain, lived)) is not None]
    assert told == []


def test_every_activity_is_a_point_before_and_after_and_every_event_is_one():
    points = points_of(PLAIN)
    assert {(point.activity, point.kills) for point in points if point.activity} == {
        (number, kind) for number in range(1, 11) for kind in ("before", "after")
    }
    assert [point.events for point in points if point.events] == list(range(4, 41))
    assert len(points_of(PLAIN, 10)) == 2 + 4


@pytest.mark.parametrize(
    ("lived", "says"),
    [
        (dataclasses.replace(PLAIN, point=Point(3), died_at="record"), None),
        (dataclasses.replace(PLAIN, point=Point(3)), "nothing died"),
        (dataclasses.replace(PLAIN, point=Point(events=20)), "no run continued as new"),
        (dataclasses.replace(PLAIN, point=Point(events=20), runs=3), None),
        (dataclasses.replace(PLAIN, point=Point(3), came_to=None, broken="it hung"), "it hung"),
        (dataclasses.replace(PLAIN, came_to=dataclasses.replace(SAME, portone=((9900, 0),) * 2)), "instead of"),
    ],
)
def test_what_a_disturbed_life_came_to_is_held_against_the_other(lived, says):
    why = differs(PLAIN, lived)
    assert why is None if says is None else says in why


def test_a_worker_dies_at_its_one_point_and_never_again():
    deaths = Deaths({"subscription/a": Point(2, "before")})
    assert [deaths.strikes("subscription/a", "record") for _ in range(4)] == [None, "before", None, None]
    assert deaths.died == {"subscription/a": "record"}
