"""What a run has met, and when it has met too little to prove anything."""

import pytest

from chaos.__main__ import EXITS
from chaos.coverage import coverage, too_seldom
from chaos.faults import (
    MISHAPS,
    POINTS,
    STEPS,
    Pair,
    every_pair,
    every_pair_of_processes,
    points_of,
)
from chaos.plan import pairs_of
from chaos.report import lines_of, report_of
from chaos.rounds import Round
from chaos.tiers import TIERS

CUT = Pair("due", "cut after", "webhook lost")


def a_round(*, planned=(), covered=(), missed=(), struck=(), blows=()):
    return Round(1, [], covered, missed, {}, 1.0, 1.0, {}, struck=struck, planned=planned, blows=blows)


def test_each_ordered_pair_of_what_a_step_can_meet_is_there_once_also_of_kill_points():
    for pairs, extra in ((every_pair(), lambda _: ()), (every_pair_of_processes(), points_of)):
        assert len(pairs) == len(set(pairs))
        for step, met in STEPS.items():
            names = [name for name, mishap in MISHAPS.items() if mishap.where in met]
            points = extra(step)
            wanted = (len(names) + len(points)) ** 2 - (len(names) ** 2 if points else 0)
            assert sum(pair.step == step for pair in pairs) == wanted
    assert len(every_pair()) > 9_000
    assert {pair.first for pair in every_pair_of_processes()} >= {*POINTS}


def test_rounds_of_the_seeds_that_follow_come_to_every_pair():
    pairs = every_pair_of_processes()[:300]
    planned = {pair for seed in range(40) for life in pairs_of(seed, 12, pairs) for pair in life}
    assert len(planned) > 0.9 * len(pairs)


def test_a_mishap_that_was_planned_often_and_struck_never_makes_a_run_invalid():
    planned = [CUT] * 10
    assert too_seldom([a_round(planned=planned, struck=["cut after"] * 2)]) == {"webhook lost": (0, 2)}
    assert too_seldom([a_round(planned=planned, struck=["cut after", "webhook lost"] * 2)]) == {}
    report = report_of([a_round(planned=planned, missed=planned)], "python -m chaos run")
    assert EXITS[report["verdict"]] == 3
    assert "too seldom: webhook lost, 0 times instead of 2" in lines_of(report)


def test_what_was_planned_once_may_miss_by_chance_unless_a_floor_is_asked_for():
    once = a_round(planned=[CUT], struck=["cut after"])
    assert too_seldom([once]) == {}
    assert too_seldom([once], floor=1) == {"webhook lost": (0, 1)}


def test_a_blow_that_never_fell_makes_a_run_invalid():
    assert too_seldom([a_round(blows=["kill worker", "kill api"], struck=["kill api"])]) == {"kill worker": (0, 1)}


def test_pairs_are_counted_as_planned_covered_missed_and_never_come_to():
    other, third = Pair("due", "401", "429"), Pair("cancel", "401", "429")
    told = coverage([a_round(planned=[CUT, other, third], covered=[CUT], missed=[CUT, other])])
    assert [told[name] for name in ("planned", "covered", "missed", "never_came_to")] == [3, 1, 1, 1]
    assert told["by_step"]["due"] == {"planned": 2, "covered": 1}
    assert told["covered_at"] == [[*CUT]]


@pytest.mark.parametrize(
    ("name", "at_least"), [("smoke", 1), ("nightly", 500), ("soak", 1500)], ids=["smoke", "nightly", "soak"]
)
def test_a_tier_does_what_its_name_says(name, at_least):
    tier = TIERS[name]
    assert tier.rounds * tier.subscribers >= at_least
    assert tier.goes_on(0, 0)
    assert not tier.goes_on(tier.rounds, tier.charges)


def test_a_soak_goes_on_until_thirty_thousand_periods_are_charged():
    assert TIERS["soak"].goes_on(10_000, 29_999)
    assert not TIERS["soak"].goes_on(10_000, 30_000)
