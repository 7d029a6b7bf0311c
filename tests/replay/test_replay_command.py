"""`gudok replay` says of histories, committed or live, whether this code carries them on, and why not."""

import asyncio
import gzip
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import app
from api.history_sources import COMMITTED
from api.replay import read_history
from chaos.what_if.__main__ import app as what_if
from tests.replay.fingerprint import HISTORIES

RUNNER = CliRunner()
PLAIN = HISTORIES / "plain.json.gz"


def gudok_replay(*words):
    answer = RUNNER.invoke(app, ["replay", *map(str, words)])
    return answer.exit_code, answer.output


@pytest.fixture
def foreign(tmp_path):
    """A folder with one history that replays, and one that some other code has written."""
    history = json.loads(read_history(PLAIN).to_json())
    scheduled = [event for event in history["events"] if event["eventType"].endswith("ACTIVITY_TASK_SCHEDULED")]
    scheduled[1]["activityTaskScheduledEventAttributes"]["activityType"]["name"] = "ask_the_bank"
    (tmp_path / "foreign.json").write_text(json.dumps(history))
    (tmp_path / "plain.json.gz").write_bytes(PLAIN.read_bytes())
    return tmp_path


def test_the_committed_histories_are_what_it_replays_unless_told_otherwise(tmp_path, monkeypatch):
    assert Path(__file__).parents[2] / COMMITTED == HISTORIES
    monkeypatch.chdir(tmp_path)
    for place in (COMMITTED, COMMITTED / "journeys"):
        place.mkdir(parents=True, exist_ok=True)
        (place / "plain.json.gz").write_bytes(PLAIN.read_bytes())
    code, output = gudok_replay()
    assert (code, "2 of 2 histories replay on this code" in output) == (0, True)


def test_a_history_of_other_code_is_told_with_the_command_that_parts_them(foreign):
    code, output = gudok_replay(foreign)
    assert code == 1
    assert "does not replay  foreign (SubscriptionWorkflow)" in output
    assert "the code wanted activity find_billing_key" in output
    assert "where the history has activity ask_the_bank" in output
    assert re.search(r"^- +\d+  ask_the_bank", output, re.MULTILINE)
    assert "1 of 2 histories replay on this code" in output


def test_one_file_is_replayed_and_its_commands_are_shown():
    code, output = gudok_replay(PLAIN, "--commands")
    assert code == 0
    assert 'record "period 1 is paid"' in output


@pytest.mark.parametrize("content", [b"", b"not json", gzip.compress(b"{}", mtime=0)])
def test_a_file_that_is_no_history_is_refused_by_name(tmp_path, content):
    path = tmp_path / ("broken.json.gz" if content[:2] == b"\x1f\x8b" else "broken.json")
    path.write_bytes(content)
    code, output = gudok_replay(path)
    assert code == 2
    assert path.name in "".join(output.replace("│", "").split())


def test_a_folder_without_histories_is_refused(tmp_path):
    assert gudok_replay(tmp_path)[0] == 2


async def test_a_running_workflow_is_replayed_by_its_id_and_every_open_one_is_and_run_on_too(stack, monkeypatch):
    monkeypatch.setenv("TEMPORAL_ADDRESS", stack.temporal.service_client.config.target_host)
    uid = await stack.start()
    code, output = await asyncio.to_thread(gudok_replay, f"subscription/{uid}")
    assert (code, "1 of 1 histories" in output) == (0, True)
    code, output = await asyncio.to_thread(gudok_replay, "--open", "--limit", "1")
    assert (code, "1 of 1 histories" in output) == (0, True)
    for words in ([f"subscription/{uid}"], ["--open", "--limit", "1"]):
        answer = await asyncio.to_thread(RUNNER.invoke, what_if, words)
        assert (answer.exit_code, "1 of 1 recorded subscriptions" in answer.output) == (0, True)
    code, output = await asyncio.to_thread(gudok_replay, "subscription/nobody")
    assert code == 2
    assert "neither a file nor a workflow" in " ".join(output.replace("│", " ").split())
