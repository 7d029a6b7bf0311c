"""`gudok reconcile`: what it prints, and what it exits with."""

import asyncio
import io
import json
from datetime import UTC, datetime

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from api.cli import app
from api.reconcile import DIFFERENCES_OPEN, NOT_COMPARED, NOTHING_OPEN, compare, read_instant
from tests.reconciled import console as act
from tests.reconciled import current, order_of
from workflows.reconciliation.contracts import StartReconciliation

RUNNER = CliRunner()


async def run(stack, *, as_json=False, **order):
    """The command against a stack; answers its exit code and what it printed."""
    printed = io.StringIO()
    code = await compare(
        stack.settings,
        StartReconciliation(**{"settle_minutes": 0, **order}),
        Console(file=printed, width=200),
        as_json=as_json,
        temporal=stack.temporal,
        task_queue=stack.task_queue,
    )
    return code, printed.getvalue()


async def run_until_open(stack, number, **more):
    """Refund a little in PortOne's console and compare, until a comparison ends with it open; what was printed.

    The subscription is told of each, and may have settled it before the command looks.
    """
    for refunded in range(100, 3_000, 100):
        await act(stack, "cancel", merchant_uid=number, amount=100)
        code, printed = await run(stack, **more)
        if code == DIFFERENCES_OPEN:
            return printed, refunded
    raise AssertionError("each was settled before the command looked")


async def test_it_exits_with_0_when_nothing_differs_and_with_1_and_a_table_when_something_does(stack):
    await stack.fault(path="webhook", kind="drop_webhook")
    uid = await stack.start()
    await current(stack, uid)
    code, printed = await run(stack)
    assert code == NOTHING_OPEN
    assert "nothing differs" in printed
    assert "1 payments" in printed
    number = await order_of(stack, uid)
    printed, refunded = await run_until_open(stack, number)
    shown = f"cancelled 9,900 KRW, {refunded} refunded"
    for told in ("refunded_elsewhere", number, shown, "docs/runbooks/reconciliation.md"):
        assert told in printed


@pytest.mark.soak
async def test_as_json_it_prints_one_document(stack):
    await stack.fault(path="webhook", kind="drop_webhook")
    uid = await stack.start()
    await current(stack, uid)
    printed, _ = await run_until_open(stack, await order_of(stack, uid), as_json=True)
    told = json.loads(printed)
    assert (told["run"]["state"], [each["kind"] for each in told["differences"]]) == ("done", ["refunded_elsewhere"])


async def end_the_run_of(stack):
    """What an operator does in the Temporal UI, as soon as there is a run."""
    while True:
        async for found in stack.temporal.list_workflows("WorkflowType = 'ReconciliationWorkflow'"):
            if found.task_queue == stack.task_queue:
                await stack.temporal.get_workflow_handle(found.id).terminate("by a test")
                return
        await asyncio.sleep(0.05)


async def test_a_run_that_fails_says_so_and_exits_with_2(stack):
    await stack.stop_worker()
    (code, printed), _ = await asyncio.gather(run(stack), end_the_run_of(stack))
    assert code == NOT_COMPARED
    assert "not everything was compared" in printed


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T09:00+09:00", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31 00:00:30", datetime(2027, 1, 31, 0, 0, 30, tzinfo=UTC)),
        (None, None),
    ],
)
def test_an_instant_is_read_in_utc_unless_it_says_otherwise(text, instant):
    assert read_instant(text) == instant


@pytest.mark.parametrize("text", ["", "yesterday", "31.1.2027", "2027-13-01"])
def test_an_instant_that_is_not_understood_is_refused(text):
    with pytest.raises(typer.BadParameter):
        read_instant(text)


@pytest.mark.parametrize(
    "arguments",
    [["--from", "2027-02-01", "--to", "2027-01-01"], ["--from", "soon"], ["--settle-minutes", "-1"]],
)
def test_arguments_that_make_no_window_are_refused_before_anything_runs(arguments):
    answer = RUNNER.invoke(app, ["reconcile", *arguments])
    assert answer.exit_code == 2
