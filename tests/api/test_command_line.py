"""The command line refuses what it does not understand, and says which setting is wrong."""

from datetime import timedelta

import pytest
import typer
from typer.testing import CliRunner

from api.cli import app, read_duration

RUNNER = CliRunner()


@pytest.mark.parametrize("text", ["", "31", "d", "-1d", "1.5d", "31 days", "1y", "9999999d", "３d"])
def test_a_duration_that_is_not_understood_is_refused(text):
    with pytest.raises(typer.BadParameter):
        read_duration(text)


def test_a_duration_is_a_number_and_a_unit():
    assert read_duration("31d") == timedelta(days=31)
    assert read_duration("90m") == timedelta(minutes=90)


def test_test_clocks_do_not_exist_in_production(monkeypatch):
    monkeypatch.setenv("GUDOK_MODE", "production")
    answer = RUNNER.invoke(app, ["clock", "advance", "someone", "31d"])
    assert answer.exit_code != 0


def test_every_command_of_this_stage_is_there():
    shown = RUNNER.invoke(app, ["--help"]).output
    for command in (
        "up",
        "demo",
        "api",
        "worker",
        "emulator",
        "doctor",
        "history",
        "db",
        "clock",
        "deployment",
        "replay",
    ):
        assert command in shown
