"""Every committed history replays on the code of today, offline; a failure says which command parts the two."""

import base64
import gzip
import json
import re

import pytest
from temporalio.client import WorkflowHistory

from api.divergence import divergence
from api.fingerprint import fingerprint, text, workflow_type
from api.replay import history_files, read_history
from billing.temporal import DATA_CONVERTER
from tests.replay.fingerprint import FINGERPRINTS, HISTORIES, name_of
from tests.replay.replaying import replayed, why
from worker import WORKFLOWS

PATHS = history_files(HISTORIES)
# One replayer for several: to make one ready takes longer than to replay a history.
BATCHES = [PATHS[first : first + 12] for first in range(0, len(PATHS), 12)]


@pytest.mark.parametrize("some", BATCHES, ids=lambda some: name_of(some[0]))
async def test_every_committed_history_replays_and_has_its_commands_beside_it(some):
    failures, results = {}, await replayed([read_history(path) for path in some])
    for path, result in zip(some, results, strict=True):
        # What the code asked for was seen, and it is what the history holds: the reasons are told from the same.
        expected, beside = await fingerprint(result.history, DATA_CONVERTER), FINGERPRINTS / f"{name_of(path)}.txt"
        asked = [command.key for task in result.asked for command in task.commands]
        held = [command.key for task in expected for command in task.commands]
        if result.failure is not None:
            failures[name_of(path)] = why(result)
        elif divergence(expected, result.asked) is not None or asked[: len(held)] != held:
            failures[name_of(path)] = f"held {held}, asked {asked}"
        elif not beside.exists() or beside.read_text() != text(expected):
            failures[name_of(path)] = "run: python -m tests.replay.fingerprint"
    assert not failures, "\n\n".join(f"{name}: {reason}" for name, reason in failures.items())


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
    recorded_apart = [path for path in PATHS if path.parent == HISTORIES]
    assert {workflow_type(read_history(path)) for path in recorded_apart} == {each.__name__ for each in WORKFLOWS}


def test_no_committed_history_holds_a_card():
    for path in [*PATHS, *FINGERPRINTS.iterdir()]:
        told = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        payloads = b"".join(base64.b64decode(data) for data in re.findall(rb'"data": ?"([A-Za-z0-9+/=]+)"', told))
        assert path.suffix != ".gz" or payloads, path
        assert not re.search(rb"4518-?4212-?3456", told + payloads), path
