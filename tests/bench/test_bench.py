"""The benches on real parts, at their smallest size, and the command that starts them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api import bench_command
from api.cli import app as gudok
from bench import cycles, starts
from bench.__main__ import app
from tests.patience import PATIENCE_SECONDS

RUNNER = CliRunner()


@pytest.mark.parametrize(
    "arguments",
    [
        ["emulator", "--count", "2000", "--due", "1001"],
        ["emulator", "--count", "1"],
        ["emulator", "--state-file", "."],
        ["cycles", "--base", "0"],
        ["starts", "--rounds", "0"],
        ["cycles", "--folder", "."],
    ],
    ids=str,
)
def test_a_bench_that_cannot_be_held_is_refused(arguments):
    assert RUNNER.invoke(app, arguments).exit_code == 2


def test_gudok_bench_hands_its_words_on_and_answers_with_the_code_of_what_it_ran():
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "bench", "emulator", "--count", "1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 2
    assert "--count" in done.stderr


def test_what_is_installed_without_a_checkout_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(bench_command, "CHECKOUT", tmp_path)
    answer = RUNNER.invoke(gudok, ["bench", "cycles"])
    assert answer.exit_code == 1
    assert "checkout" in answer.output


@pytest.mark.soak
async def test_cycles_that_are_due_at_one_instant_are_measured_beside_bare_ones(tmp_path):
    said = []
    report = await cycles.measure(1, 1, tmp_path / "data", said.append)
    assert report.works("cycle") == report.works("bare") == [1, 4, 16]
    for run in report.of("cycle"):
        assert (run["paid"], run["waited_for_deadline"]) == (run["work"], 0)
        assert (run["webhooks"], run["webhooks_lost"], run["webhooks_not_rung"]) == (run["work"], 0, 0)
    largest = report.of("cycle", 16)[0]
    assert set(largest["cpu_ms_by_process"]) == {"temporal", "emulator", "worker", "api"}
    assert largest["cpu_ms"] > report.of("bare", 16)[0]["cpu_ms"] > 0
    assert report.facts["history"]["events"] > 20
    assert len(said) == 3
    _written(report, tmp_path)


@pytest.mark.soak
async def test_starts_by_card_are_measured_beside_bare_ones(tmp_path):
    report = await starts.measure(1, 1, tmp_path / "data", lambda _: None)
    for kind in starts.KINDS:
        assert report.works(kind) == report.works(f"bare {kind}") == [1, 4, 16]
        largest = report.of(kind, 16)[0]
        assert largest["cpu_ms"] > report.of(f"bare {kind}", 16)[0]["cpu_ms"] > 0
        assert largest["p99_ms"] >= largest["p50_ms"] > 0
    # A start that is charged asks more of PortOne than one that begins with a trial.
    assert report.facts["history_charged"]["activities"] > report.facts["history_trial"]["activities"]
    _written(report, tmp_path)


def _written(report, folder: Path):
    report.write(folder / "report.json")
    written = json.loads((folder / "report.json").read_text())
    assert written["runs"] == report.runs
    assert len(written["lines"]) == len(report.lines)
