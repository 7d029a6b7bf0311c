"""What is lived next: every pair in its turn, and those again that met no call of their step."""

import json
from collections import Counter

import pytest

from chaos.__main__ import _parser, _run, main
from chaos.faults import every_pair
from chaos.plan import MOST_TRIES, PairsLeft, planned_again
from chaos.report import report_of
from chaos.rounds import Round
from chaos.running import Run, keep, kept_rounds, sources
from chaos.tiers import TIERS, Tier


def lived(planned, covered=()):
    met = {"lives": planned.lives, "periods": planned.periods, "uncached": planned.uncached}
    return Round(planned.seed, [], covered, [], {}, 1.0, 1.0, {}, **met)


def test_every_pair_is_met_and_one_that_meets_no_call_is_tried_again_but_not_for_ever():
    left, tries, unlucky = PairsLeft(), Counter(), {*every_pair()[:50]}
    while left.waiting:
        lives = left.next_lives(12)
        pairs = [pair for life in lives for pair in life]
        assert pairs, "a round in which nothing goes wrong comes to no pair"
        assert all(len({pair.step for pair in life}) == len(life) for life in lives)
        tries.update(pairs)
        left.lived(lives, [pair for pair in pairs if pair not in unlucky])
    assert {*tries} == {*every_pair()}
    assert {tries[pair] for pair in unlucky} == {MOST_TRIES}
    assert {count for pair, count in tries.items() if pair not in unlucky} == {1}


def test_a_tier_that_wants_every_pair_goes_on_with_short_lives_until_all_were_met():
    run = Run(Tier(subscribers=12, periods=12, rounds=3, every_pair=True))
    periods = []
    while (planned := run.next_round()) is not None:
        periods.append(planned.periods)
        run.came_to(lived(planned, [pair for life in planned.lives for pair in life]))
    assert periods[:3] == [12] * 3
    assert {*periods[3:]} == {1}
    assert {pair for one in run.rounds for life in one.lives for pair in life} == {*every_pair()}
    assert sorted({one.seed for one in run.rounds}) == list(range(len(run.rounds))), "each of a seed of its own"


def test_rounds_at_once_meet_different_pairs():
    run = Run(TIERS["nightly"])
    one, other = run.next_round(), run.next_round()
    assert one.seed != other.seed
    assert not {pair for life in one.lives for pair in life} & {pair for life in other.lives for pair in life}


def test_a_run_that_was_cut_off_goes_on_after_its_rounds_and_misses_none(tmp_path):
    whole, cut = Run(TIERS["nightly"]), Run(TIERS["nightly"])
    kept = tmp_path / "report.rounds"
    for _ in range(5):
        planned = cut.next_round()
        one = lived(planned, planned.lives[0])
        cut.came_to(one)
        keep(kept, one)
        whole.came_to(lived(whole.next_round(), planned.lives[0]))
    resumed = Run(TIERS["nightly"])
    resumed.resume(list(kept_rounds(kept)))
    assert resumed.rounds == cut.rounds
    assert resumed.next_round() == whole.next_round()


def test_the_rounds_of_other_code_are_not_gone_on_after(tmp_path, capsys):
    report = tmp_path / "report.json"
    asked = ["run", "--rounds", "2", "--report", str(report)]
    report.write_text(json.dumps(report_of([], "python -m chaos run --seed 0 --rounds 2", code="another")))
    assert main([*asked, "--resume"]) == 2
    assert "other code" in capsys.readouterr().err
    assert main([*asked, "--resume", "--clean"]) == 2
    assert "another run" in capsys.readouterr().err
    before = report.read_text()
    assert main([*asked, "--again", str(report)]) == 2
    assert "written over" in capsys.readouterr().err
    assert report.read_text() == before
    assert sources() == sources() != "another"


@pytest.mark.parametrize("seed", [7, 8])
def test_a_report_keeps_what_each_round_met_so_that_it_can_be_lived_again(tmp_path, capsys, seed):
    run = Run(TIERS["nightly"], seed=7)
    planned = run.next_round()
    report = json.loads(json.dumps(report_of([lived(planned)], "")))
    if seed == planned.seed:
        assert planned_again(report, seed) == planned
        return
    (tmp_path / "report.json").write_text(json.dumps(report))
    again = ["run", "--again", str(tmp_path / "report.json"), "--seed", str(seed)]
    assert main([*again, "--report", str(tmp_path / "other.json")]) == 2
    assert f"no round of the seed {seed}" in capsys.readouterr().err


def test_a_run_that_was_cut_off_while_it_kept_a_round_goes_on_after_those_before_it(tmp_path):
    planned, kept = Run(TIERS["nightly"]).next_round(), tmp_path / "report.rounds"
    keep(kept, lived(planned))
    whole = kept.read_bytes()
    kept.write_bytes(whole + whole[: len(whole) // 2])
    assert list(kept_rounds(kept)) == [lived(planned)]


@pytest.mark.parametrize("given", ["--clean", "--pair=due:declined:webhook lost"])
def test_a_tier_whose_pairs_are_given_ends_after_its_rounds(given):
    run = _run(_parser().parse_args(["run", "--tier", "nightly", given]))
    lives = 0
    while (planned := run.next_round()) is not None:
        run.came_to(lived(planned))
        lives += 1
    assert lives == TIERS["nightly"].rounds
