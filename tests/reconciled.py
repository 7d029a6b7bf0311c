"""What the tests of the reconciliation share: a run to its end, what it left in the ledger, and who was rung."""

import uuid
from dataclasses import replace
from datetime import timedelta

from temporalio.api.enums.v1 import EventType

from billing.domain.differences import DifferenceState
from billing.domain.subscription.reports import LookAgain, PaymentReported
from workflows.reconciliation.contracts import StartReconciliation
from workflows.reconciliation.workflow import ReconciliationWorkflow

SIGNALS = {"payment_reported": PaymentReported, "look_again": LookAgain}


async def start_run(stack, run_id=None, **order):
    """Begin a run that judges everything, however young."""
    return await stack.temporal.start_workflow(
        ReconciliationWorkflow.run,
        args=[StartReconciliation(**{"settle_minutes": 0, **order}), None],
        id=run_id or f"reconciliation/{uuid.uuid4().hex[:10]}",
        task_queue=stack.task_queue,
    )


async def reconcile(stack, **order):
    """A run to its end; answers its counts."""
    return (await (await start_run(stack, **order)).result()).counts


async def found_by(stack, **order):
    """A run to its end; answers the differences it met, oldest first, also those that were settled meanwhile."""
    run = await (await start_run(stack, **order)).result()
    assert run.state == "done"
    return [row for row in (await stack.ledger.differences.page(limit=500))[::-1] if row.last_run == run.run_id]


async def rows(stack, state=DifferenceState.OPEN):
    """The differences in a state, oldest first."""
    return (await stack.ledger.differences.page(state=state, limit=500))[::-1]


async def kinds(stack, state=DifferenceState.OPEN):
    return [row.kind.value for row in await rows(stack, state)]


async def facts(stack):
    """Every difference without what every run changes."""
    found = await stack.ledger.differences.page(limit=500)
    return [replace(row, last_seen=row.first_seen, last_run="", rung_at=None) for row in found]


async def rung(stack, uid):
    """The signals that a subscription's workflow was sent, by name, with what they carried."""
    handle = stack.handle(uid)
    history = await handle.fetch_history()
    signals = []
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
            told = event.workflow_execution_signaled_event_attributes
            (message,) = await stack.temporal.data_converter.decode(told.input.payloads, [SIGNALS[told.signal_name]])
            signals.append((told.signal_name, message))
    return signals


async def console(stack, act, **what):
    """What a person does in PortOne's console."""
    answer = await stack.emulator.post("/emulator/console", json={"act": act, **what})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def silence(stack):
    """Lose every webhook from now on."""
    await stack.fault(path="webhook", kind="drop_webhook")


async def current(stack, uid):
    """The order number that stands registered at PortOne, once it does."""
    while True:
        snapshot = await stack.snapshot(uid)
        if snapshot["cycle_state"] == "registered":
            return snapshot["merchant_uid"]


async def order_of(stack, uid, cycle=1):
    """The order number of a cycle, as the ledger has it."""
    return next(row.merchant_uid for row in await stack.ledger.list_charges(customer_uid=uid) if row.cycle == cycle)


async def only_portone_moves(stack, uid, **distance):
    """Time passes at PortOne and not for the workflow, which therefore looks at nothing by itself."""
    seconds = timedelta(**distance).total_seconds()
    answer = await stack.emulator.post("/emulator/clock", json={"customer_uid": uid, "advance_seconds": seconds})
    assert answer.status_code == 200


async def found(stack, *expected):
    """One run finds exactly these kinds; answers their rows. What is rung may be settled before the run has ended."""
    met = await found_by(stack)
    assert sorted(row.kind.value for row in met) == sorted(expected)
    return met


async def reported(stack, uid, row):
    """The workflow of `uid` was told of the payment of a difference, as a webhook would have told it, once."""
    signals = await rung(stack, uid)
    assert [(name, told.imp_uid, told.merchant_uid) for name, told in signals] == [
        ("payment_reported", row.imp_uid, row.merchant_uid)
    ]
    assert row.rung_at is not None
    return signals[0][1]


async def told_to_look(stack, uid, row):
    """The workflow of `uid` was told to look again, once, with the order and the reason."""
    signals = await rung(stack, uid)
    assert [(name, told.merchant_uid, told.reason) for name, told in signals] == [
        ("look_again", row.merchant_uid, row.kind.value)
    ]
    assert row.rung_at is not None
