"""Releases of a siege, the histories that are made under them, and clocks that are off."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from api.ports import ANY
from api.replay import read_history
from chaos.processes import part
from chaos.processes.clock import run_off_by
from chaos.processes.deploys import DEPLOYS
from chaos.processes.fleet import WORKERS, Fleet
from chaos.processes.histories import REPLAYS, every_history, replayed
from chaos.processes.mishaps import blows_of
from chaos.processes.next_release import PATCH
from chaos.processes.part import words_for
from chaos.processes.releases import Kind, Release, dark_patches_of, kind_after, workflows_of
from chaos.report import lines_of, report_of
from chaos.rounds import Round
from chaos.versions import Deploys, Histories

ROOT = Path(__file__).parents[2]
HISTORIES = ROOT / "tests" / "replay" / "histories"


def a_fleet():
    return Fleet(Path("/nowhere"), ANY, print, between=None, database_url="", points=Path("/nowhere"))


def deployed(fleet):
    """What a deploy leaves behind: the spare worker and another one are of the new version, which is current."""
    first, new = fleet.spare, fleet.next_release()
    follower = next(name for name in WORKERS if name != first)
    fleet.releases |= {first: new, follower: new}
    fleet.given_work.append(new)
    fleet.current = new


def test_a_patch_is_released_dark_before_it_is_taken():
    fleet = a_fleet()
    for _ in range(4):
        deployed(fleet)
    assert [release.kind for release in fleet.given_work] == ["own", "dark", "lit", "dark", "lit"]
    assert len({release.build_id for release in fleet.given_work}) == 5
    assert dark_patches_of(Kind.DARK) == [PATCH]
    assert not dark_patches_of(Kind.LIT)


def test_two_workers_are_of_the_current_version_and_one_of_the_version_before():
    fleet = a_fleet()
    for _ in range(3):
        before = fleet.current
        deployed(fleet)
        assert sorted(fleet.releases.values(), key=lambda release: release.number) == [before] + [fleet.current] * 2
        assert fleet.release_before() == before


def test_nobody_goes_back_to_a_version_that_cannot_carry_on_what_a_later_one_has_begun():
    assert Release(0, Kind.OWN).can_carry_on(Release(1, Kind.DARK))
    assert Release(1, Kind.DARK).can_carry_on(Release(2, Kind.LIT))
    assert not Release(0, Kind.OWN).can_carry_on(Release(2, Kind.LIT))
    fleet = a_fleet()
    assert fleet.release_before() is None
    lit = Release(2, Kind.LIT)
    fleet.given_work.append(lit)
    fleet.current = Release(3, Kind.DARK)
    fleet.releases = dict.fromkeys(WORKERS, fleet.current) | {WORKERS[1]: Release()}
    assert fleet.release_before() is None
    fleet.releases[WORKERS[1]] = lit
    assert fleet.release_before() == lit
    fleet.current = Release(1, Kind.DARK)
    assert fleet.release_before() is None


def test_a_release_differs_from_the_product_in_its_subscription_alone():
    own = workflows_of(Kind.OWN)
    for kind in (Kind.DARK, Kind.LIT, Kind.CARELESS):
        assert sum(ours is not theirs for ours, theirs in zip(own, workflows_of(kind), strict=True)) == 1
    assert kind_after(Kind.LIT) is Kind.DARK


def test_a_worker_is_told_its_version_and_an_api_only_that_its_clock_is_off():
    assert words_for(Release(2, Kind.LIT), timedelta(0)) == ["--release", "lit", "--build-id", "r2-lit"]
    assert words_for(None, timedelta(minutes=-5)) == ["--clock-minutes", "-5"]
    assert words_for(None, timedelta(0)) == []


def test_every_blow_of_a_deploy_has_its_turn_with_every_database_or_makes_the_run_invalid():
    assert {*DEPLOYS} <= {*blows_of("sqlite")} & {*blows_of("postgresql")}
    never = Round(1, [], (), (), {}, 1.0, 1.0, {}, blows=tuple(DEPLOYS), struck=["deploy"])
    report = report_of([never], "")
    assert report["verdict"] == "invalid"
    assert {*report["too_seldom"]} == {*DEPLOYS} - {"deploy"}


def test_a_report_says_deploys_ways_back_versions_at_once_and_what_the_histories_came_to():
    waves = [
        Round(1, [], (), (), {}, 1.0, 1.0, {}, deploys=Deploys(deploys=2, rollbacks=1, at_once=3, ramps_taken_back=1)),
        Round(
            2,
            [],
            (),
            (),
            {},
            1.0,
            1.0,
            {},
            deploys=Deploys(deploys=1, at_once=1),
            histories=Histories(made=9, replayed=8, failed=1, versions=4, moved=3, patched=2),
        ),
    ]
    told = lines_of(report_of(waves, ""))
    assert "3 deploys, 1 rollbacks, 1 ramps taken back; 4 times two versions at once" in told
    assert "9 histories made, 8 replay, 1 do not; 3 carried by more than one version, 2 with a patch" in told


# ------------------------------------------------------------------ histories


class Namespace:
    """A Temporal that holds these histories, and lists some of them."""

    def __init__(self, histories, listed=None):
        self._histories = {history.run_id: history for history in histories}
        self._listed = listed or [*self._histories]

    async def list_workflows(self):
        for run_id in self._listed:
            yield SimpleNamespace(id=self._histories[run_id].workflow_id, run_id=run_id)

    def get_workflow_handle(self, _workflow_id, run_id):
        async def fetch_history():
            return self._histories[run_id]

        return SimpleNamespace(fetch_history=fetch_history)


def a_history(name, **change):
    history = read_history(HISTORIES / f"{name}.json.gz")
    follows = history.events[-1].workflow_execution_continued_as_new_event_attributes
    for field, value in change.items():
        setattr(follows, field, value)
    return history


async def test_a_run_that_the_list_does_not_show_yet_is_found_by_the_one_before_it():
    second = a_history("answer_lost")
    first = a_history("about_to_continue_as_new", new_execution_run_id=second.run_id)
    found = [history.run_id async for history in every_history(Namespace([first, second], [first.run_id]))]
    assert found == [first.run_id, second.run_id]


async def test_every_history_is_replayed_on_every_release_and_one_that_does_not_replay_is_named():
    namespace = Namespace([a_history("answer_lost")])
    kept = await replayed(namespace, [Kind.OWN, Kind.DARK, Kind.LIT])
    assert (kept.histories.made, kept.histories.replayed, kept.histories.failed, kept.broken) == (1, 1, 0, [])
    broken = await replayed(namespace, [Kind.OWN, Kind.CARELESS])
    assert (broken.histories.made, broken.histories.replayed, broken.histories.failed) == (1, 0, 1)
    (violation,) = broken.broken
    assert violation.invariant == REPLAYS
    assert violation.says.startswith("answer_lost")
    assert "does not replay on careless code: the code wanted" in violation.says


# ------------------------------------------------------------------ clocks


@pytest.fixture
def five_minutes_ahead():
    assert part.main
    names = run_off_by(timedelta(minutes=5))
    yield names
    for name in names:
        vars(sys.modules[name])["datetime"] = datetime


def test_every_place_of_the_product_that_reads_a_clock_reads_the_one_that_is_off(five_minutes_ahead):
    """A new place that reads it in other words is not found by the harness, so there may be none."""
    reads = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for folder in ("api", "activities", "billing")
        for path in (ROOT / folder).rglob("*.py")
        if "emulator" not in path.parts and "datetime.now(" in path.read_text()
    }
    assert {*five_minutes_ahead} == reads
    ahead = sys.modules["billing.ledger.upsert"].written_at() - datetime.now(UTC)
    assert timedelta(minutes=4) < ahead < timedelta(minutes=6)
