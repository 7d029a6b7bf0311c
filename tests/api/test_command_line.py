"""The command line refuses what it does not understand, and says which setting is wrong."""

from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from api.cli import app
from api.distance import read_distance

RUNNER = CliRunner()


@pytest.mark.parametrize(
    "text", ["", "31", "d", "-1d", "1.5d", "31 days", "1y", "9999999d", "３d", "P", "PT", "P1DT", "0d"]
)
def test_a_distance_that_is_not_understood_is_refused(text):
    with pytest.raises(ValueError, match="must be"):
        read_distance(text)


@pytest.mark.parametrize("text", ["999999d", "P101Y", "P99Y9999M"])
def test_more_than_a_hundred_years_is_refused(text):
    with pytest.raises(ValueError, match="hundred years"):
        read_distance(text)


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("31d", "2027-03-03T09:00"),
        ("90m", "2027-01-31T10:30"),
        ("P1M", "2027-02-28T09:00"),
        ("P1Y", "2028-01-31T09:00"),
        ("P1Y1M", "2028-02-29T09:00"),
        ("P2WT12H", "2027-02-14T21:00"),
    ],
)
def test_a_distance_is_a_number_and_a_unit_or_an_iso_duration_by_the_calendar(text, there):
    start = datetime(2027, 1, 31, 9, tzinfo=UTC)
    assert read_distance(text).after(start) == datetime.fromisoformat(f"{there}+00:00")


@pytest.mark.parametrize("arguments", [[], ["31d", "--to", "2027-01-31"], ["31"], ["0d"]], ids=str)
def test_a_clock_is_not_moved_without_a_distance_that_is_understood(arguments, monkeypatch):
    monkeypatch.setenv("GUDOK_PORTONE_URL", "http://127.0.0.1:9")
    assert RUNNER.invoke(app, ["clock", "advance", "someone", *arguments]).exit_code != 0


def test_test_clocks_do_not_exist_against_portone_itself(monkeypatch):
    monkeypatch.setenv("GUDOK_PORTONE_URL", "https://api.iamport.kr")
    answer = RUNNER.invoke(app, ["clock", "advance", "someone", "31d"])
    assert answer.exit_code != 0
    assert "everybody" in answer.output


def test_test_clocks_do_not_exist_in_production(monkeypatch):
    monkeypatch.setenv("GUDOK_MODE", "production")
    answer = RUNNER.invoke(app, ["clock", "advance", "someone", "31d"])
    assert answer.exit_code != 0


def test_the_fault_harness_that_is_not_installed_says_where_it_is(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    answer = RUNNER.invoke(app, ["chaos", "stories"])
    assert answer.exit_code == 1
    assert "in the project's checkout" in answer.output


def test_every_argument_of_the_fault_harness_is_its_own(capfd):
    answer = RUNNER.invoke(app, ["chaos", "--help"])
    assert answer.exit_code == 0
    assert "usage: python -m chaos" in capfd.readouterr().out


def test_every_command_of_this_stage_is_there():
    shown = RUNNER.invoke(app, ["--help"]).output
    for command in (
        "up",
        "demo",
        "api",
        "worker",
        "emulator",
        "doctor",
        "chaos",
        "history",
        "db",
        "clock",
        "deployment",
        "replay",
        "bench",
    ):
        assert command in shown
