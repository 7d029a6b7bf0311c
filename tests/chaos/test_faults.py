"""Pairs of mishaps: each ordered pair at each step that can meet it, and rounds that cover all of them."""

from itertools import chain

import pytest

from billing.emulator.fault_kinds import KINDS
from billing.emulator.faults import Fault
from chaos.faults import MISHAPS, STEPS, every_pair, rule_of
from chaos.plan import PAIRS_A_LIFE, pairs_of


def test_every_ordered_pair_is_there_once_at_each_step_that_can_meet_it():
    pairs = every_pair()
    assert len(set(pairs)) == len(pairs)
    met = {step: sum(mishap.where in where for mishap in MISHAPS.values()) for step, where in STEPS.items()}
    assert len(pairs) == sum(count**2 for count in met.values())
    assert pairs == every_pair(), "the order in which rounds cover them is always the same"


def test_every_mishap_is_met_by_a_step_and_is_a_rule_that_the_emulator_takes():
    assert {name for pair in every_pair() for name in (pair.first, pair.second)} == set(MISHAPS)
    for pair in every_pair():
        for name in (pair.first, pair.second):
            if MISHAPS[name].where != "person":
                Fault.model_validate(rule_of(pair.step, name, "kim"))


def test_the_kinds_of_faults_that_only_cost_real_time_are_the_ones_left_out():
    used = {mishap.rule["kind"] for mishap in MISHAPS.values() if mishap.where != "person"}
    assert set(KINDS) - used == {"429", "console", "delay", "delay_after", "slow_drip"}


@pytest.mark.parametrize("subscribers", [8, 12])
def test_rounds_cover_nearly_every_pair_and_a_seed_always_draws_the_same(subscribers):
    pairs = every_pair()
    rounds = -(-len(pairs) // (subscribers * PAIRS_A_LIFE))
    lived = set(chain.from_iterable(chain.from_iterable(pairs_of(seed, subscribers) for seed in range(rounds))))
    assert len(lived) > 0.95 * len(pairs)
    assert pairs_of(3, subscribers) == pairs_of(3, subscribers)


@pytest.mark.parametrize("seed", range(20))
def test_no_life_has_two_pairs_at_one_step_or_begins_twice(seed):
    for life in pairs_of(seed, 8):
        steps = [pair.step for pair in life]
        assert len(set(steps)) == len(steps)
        assert not {"issue", "start"} <= set(steps)
