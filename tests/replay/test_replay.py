"""Every committed history replays on the code of today, offline."""

import gzip
import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from billing.temporal import DATA_CONVERTER
from worker import SANDBOX, WORKFLOWS

HISTORIES = sorted((Path(__file__).parent / "histories").rglob("*.json.gz"))


def replayer():
    return Replayer(
        workflows=WORKFLOWS,
        data_converter=DATA_CONVERTER,
        workflow_runner=SandboxedWorkflowRunner(restrictions=SANDBOX),
    )


def read(path):
    return gzip.decompress(path.read_bytes()).decode()


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.name.removesuffix(".json.gz"))
async def test_a_committed_history_replays(path):
    await replayer().replay_workflow(WorkflowHistory.from_json(path.stem, read(path)))


async def test_an_incompatible_history_is_caught():
    history = json.loads(read(next(path for path in HISTORIES if path.name.startswith("plain"))))
    scheduled = [event for event in history["events"] if event["eventType"].endswith("ACTIVITY_TASK_SCHEDULED")]
    scheduled[1]["activityTaskScheduledEventAttributes"]["activityType"]["name"] = "find_payment"
    with pytest.raises(Exception, match=r"(?i)nondeterminism|TMPRL1100"):
        await replayer().replay_workflow(WorkflowHistory.from_json("plain", json.dumps(history)))


def test_there_is_a_history_for_every_kind_of_workflow():
    started = {
        json.loads(read(path))["events"][0]["workflowExecutionStartedEventAttributes"]["workflowType"]["name"]
        for path in HISTORIES
    }
    assert started == {workflow.__name__ for workflow in WORKFLOWS}


def test_no_committed_history_holds_a_card():
    for path in HISTORIES:
        text = read(path)
        assert "4518-4212" not in text
        assert "45184212" not in text
