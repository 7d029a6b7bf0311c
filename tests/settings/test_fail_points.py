"""Fail points: nothing where they are off, and in production always off; where one is armed, one process takes it."""

import os
import signal
import subprocess
import sys

from billing import fail_points
from billing.domain.money import Money
from billing.domain.outcomes import ChargeOutcome
from billing.domain.records import ChargeIntent, ChargeKind, LedgerEntry
from billing.fail_points import FailPoints, arm, folder_of
from chaos.in_process import a_world
from tests.patience import PATIENCE_SECONDS
from workflows.contracts import ChargeAgain


def test_nothing_can_be_armed_without_the_variable_and_in_production(tmp_path):
    named = {"GUDOK_FAIL_POINTS": str(tmp_path)}
    assert folder_of({"GUDOK_MODE": "local"}) is None
    assert folder_of({**named, "GUDOK_MODE": "production"}) is None
    assert folder_of(named) is None, "a mode that nobody has named is not taken for a safe one"
    assert folder_of({**named, "GUDOK_MODE": "test"}) == tmp_path
    assert not fail_points.ARE_ON
    fail_points.reach("before record", "kim")


def test_a_point_strikes_once_for_whom_it_is_armed_and_for_nobody_else(tmp_path):
    done = []
    points = FailPoints(tmp_path, done.append)
    arm(tmp_path, "before POST /subscribe/payments/again", "kill", "kim", 1)
    points.reach("before POST /subscribe/payments/again", "lee")
    points.reach("after POST /subscribe/payments/again", "kim")
    assert done == []
    points.reach("before POST /subscribe/payments/again", "an order", "kim.2")
    points.reach("before POST /subscribe/payments/again", "kim.2")
    assert done == [signal.SIGKILL]
    (taken,) = tmp_path.iterdir()
    assert taken.name.endswith(f".taken.{os.getpid()}")


def test_what_is_armed_for_nobody_in_particular_strikes_the_first_who_comes(tmp_path):
    done = []
    arm(tmp_path, "before record", "stop", "", 1)
    FailPoints(tmp_path, done.append).reach("before record")
    assert done == [signal.SIGSTOP]


def test_a_process_dies_at_the_point_and_does_nothing_behind_it(tmp_path):
    arm(tmp_path, "before record", "kill", "", 1)
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "from billing import fail_points as f; print(f.ARE_ON, flush=True); f.reach('before record'); print('on')",
        ],
        env={**os.environ, "GUDOK_MODE": "local", "GUDOK_FAIL_POINTS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert (run.returncode, run.stdout) == (-signal.SIGKILL, "True\n")


async def test_a_charge_passes_every_point_in_its_order_and_is_marked_before_it_is_sent(tmp_path, monkeypatch):
    passed = []
    monkeypatch.setattr(fail_points, "ARE_ON", True)
    monkeypatch.setattr(fail_points, "reach", lambda point, *names: passed.append((point, "kim" in names)))
    async with a_world(tmp_path) as world:
        amount, at = Money(9900), world.now("kim")
        intent = ChargeIntent("kim1", "subscription/kim", ChargeKind.CYCLE, amount, "월간", at, "life", "kim", 1)
        await world.ledger.record(LedgerEntry(intents=(intent,)))
        order = ChargeAgain(
            workflow_id="subscription/kim",
            merchant_uid="kim1",
            customer_uid="kim",
            amount=amount,
            name="월간",
            send_no=1,
        )
        answer = await world.activities["charge_again"](order)
        assert answer.outcome is ChargeOutcome.DECLINED, "there is no key"
    assert passed == [
        ("before mark_sent", True),
        ("after mark_sent", True),
        ("before POST /subscribe/payments/again", True),
        ("after POST /subscribe/payments/again", True),
    ]


async def test_a_webhook_passes_every_point_in_its_order_and_is_stored_before_anybody_is_told(stack, monkeypatch):
    passed = []
    monkeypatch.setattr(fail_points, "ARE_ON", True)
    monkeypatch.setattr(fail_points, "reach", lambda point, *names: passed.append((point, *names)))
    uid = await stack.start()
    await stack.settled(uid)
    number = (await stack.charges(uid))[0]["merchant_uid"]
    webhook = [point for point, *names in passed if number in names and point.endswith(("webhook", "reported"))]
    assert webhook == [
        "before receive_webhook",
        "after receive_webhook",
        "before payment_reported",
        "after payment_reported",
    ]
