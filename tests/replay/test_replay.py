"""Every committed history replays on the code of today, offline; a failure says which command parts the two."""

import json

import pytest
from temporalio.client import WorkflowHistory

from api.divergence import divergence
from api.fingerprint import fingerprint, workflow_type
from api.replay import history_files, read_history
from billing.temporal import DATA_CONVERTER
from tests.replay.fingerprint import FINGERPRINTS, HISTORIES, derived, name_of
from tests.replay.replaying import replayed, why
from worker import WORKFLOWS

PATHS = history_files(HISTORIES)
# One replayer for several: to make one ready takes longer than to replay a history.
BATCHES = [PATHS[first : first + 12] for first in range(0, len(PATHS), 12)]


@pytest.mark.parametrize("some", BATCHES, ids=lambda some: name_of(some[0]))
async def test_every_committed_history_replays(some):
    failures, results = {}, await replayed([read_history(path) for path in some])
    for path, result in zip(some, results, strict=True):
        # What the code asked for was seen, and it is what the history holds: the reasons are told from the same.
        expected = await fingerprint(result.history, DATA_CONVERTER)
        asked = [command.key for task in result.asked for command in task.commands]
        held = [command.key for task in expected for command in task.commands]
        if result.failure is not None:
            failures[name_of(path)] = why(result)
        elif divergence(expected, result.asked) is not None or asked[: len(held)] != held:
            failures[name_of(path)] = f"held {held}, asked {asked}"
    assert not failures, "\n\n".join(f"{name}: {reason}" for name, reason in failures.items())


@pytest.mark.parametrize("some", BATCHES, ids=lambda some: name_of(some[0]))
async def test_every_history_has_its_commands_beside_it(some):
    for path in some:
        beside = FINGERPRINTS / f"{name_of(path)}.txt"
        assert beside.exists(), "run: python -m tests.replay.fingerprint"
        assert beside.read_text() == await derived(path), f"{name_of(path)}: run: python -m tests.replay.fingerprint"


def test_no_fingerprint_is_without_its_history():
    assert {path.stem for path in FINGERPRINTS.iterdir()} == {name_of(path) for path in PATHS}


async def test_an_incompatible_history_is_caught():
    history = json.loads(read_history(next(path for path in PATHS if name_of(path) == "plain")).to_json())
    scheduled = [event for event in history["events"] if event["eventType"].endswith("ACTIVITY_TASK_SCHEDULED")]
    scheduled[1]["activityTaskScheduledEventAttributes"]["activityType"]["name"] = "find_payment"
    (result,) = await replayed([WorkflowHistory.from_json("plain", json.dumps(history))])
    assert "TMPRL1100" in result.failure
    assert result.divergence.reason.startswith("the code wanted activity find_billing_key")
    assert "where the history has activity find_payment" in result.divergence.reason


def test_there_is_a_history_for_every_kind_of_workflow():
    assert {workflow_type(read_history(path)) for path in PATHS} == {workflow.__name__ for workflow in WORKFLOWS}


def test_no_committed_history_holds_a_card():
    for path in [*PATHS, *FINGERPRINTS.iterdir()]:
        text = read_history(path).to_json() if path in PATHS else path.read_text()
        assert "4518-4212" not in text
        assert "45184212" not in text
