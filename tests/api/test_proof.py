"""`gudok proof`: what became of one order, and the sentence that says why it is the only one, over real parts."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError
from typer.testing import CliRunner

from api.cli import app
from api.proof_command import NOT_OURS, NOT_PROVEN, PROVEN, run_proof
from api.proof_history import leading_history
from tests.facts import current, until
from tests.journeys.cards import change as change_card
from tests.journeys.owing import HARD, SOFT_TWICE, declined
from tests.journeys.parked import unknowable
from tests.line import on_a_line
from tests.reconciled import console, order_of, silence


async def proven(stack, number):
    """(exit code, the document) of one proof."""
    out = io.StringIO()
    printed = Console(file=out, width=200)
    code = await run_proof(stack.settings, printed, number, as_json=True, temporal=stack.temporal)
    return code, json.loads(out.getvalue())


async def read(stack, number):
    """The proof as a person reads it."""
    out = io.StringIO()
    code = await run_proof(stack.settings, Console(file=out, width=200), number, temporal=stack.temporal)
    return code, out.getvalue()


def words(document):
    return [event["words"] for event in document["history"]["events"]]


async def test_a_plain_paid_period_is_proven_with_everything_that_led_to_it(stack):
    uid = await stack.start()
    await stack.advance(uid, days=32)
    number = await order_of(stack, uid, 2)
    code, proof = await proven(stack, number)
    (row,) = stack.account().world.payments_of(number)
    assert (code, proof["outcome"]) == (PROVEN, "paid_once")
    life = (await stack.ledger.get_subscription(uid)).subscription_id
    assert proof["sentences"][0].startswith(
        f"PortOne holds the money of exactly one payment: {row['imp_uid']}, 9,900 KRW"
    )
    assert proof["sentences"][1:] == [
        f"{number} belongs to period 2 of life {life} of {uid}, ordered for 9,900 KRW.",
        "That period has no other order number.",
        "Nobody else has charged the same key since.",
    ]
    assert proof["ledger"]["charge"]["state"] == "paid"
    assert [each["state"] for each in proof["ledger"]["results"]] == ["paid"]
    assert proof["portone"][0]["schedule"]["status"] == "executed"
    kinds = {event["kind"] for event in proof["history"]["events"]}
    assert {"activity_task_scheduled", "activity_task_completed"} <= kinds
    assert any(line.startswith("register_schedule") for line in words(proof))
    assert proof["history"]["gone"] is None
    assert [event["at"] for event in proof["history"]["events"]] == sorted(
        event["at"] for event in proof["history"]["events"]
    )


async def test_a_retried_period_says_how_often_it_was_declined_before(stack):
    uid, _ = await declined(stack, SOFT_TWICE)
    await stack.advance(uid, days=6)
    number = await order_of(stack, uid)
    code, proof = await proven(stack, number)
    assert (code, proof["outcome"]) == (PROVEN, "paid_once")
    assert [row["status"] for row in proof["portone"][0]["payments"]].count("failed") == 2
    assert [each["state"] for each in proof["ledger"]["results"]] == ["declined", "declined", "paid"]


async def test_a_period_under_two_numbers_names_the_other_and_why_it_holds_nothing(stack):
    uid, _ = await declined(stack, HARD)
    first = await order_of(stack, uid)
    await change_card(stack, uid)
    await stack.settled(uid)
    numbers = [row["merchant_uid"] for row in await stack.charges(uid) if row["cycle"] == 1]
    (second,) = [each for each in numbers if each != first]
    code, proof = await proven(stack, second)
    assert (code, proof["outcome"]) == (PROVEN, "paid_once")
    (others,) = [line for line in proof["sentences"] if line.startswith("No other order number")]
    assert f"{first} declined once" in others
    code, other = await proven(stack, first)
    assert (code, other["outcome"]) == (PROVEN, "not_paid")
    assert other["sentences"][0].startswith("Nothing was paid: declined once, the last time at ")
    assert f"The other order numbers of that period: {second} holds imp" in other["proof"]


async def test_a_period_that_was_paid_after_a_lost_answer_is_proven_with_its_one_payment(stack):
    await silence(stack)
    await stack.fault(path="again", kind="500_after", count=1)
    uid = await stack.start()
    number = await order_of(stack, uid)
    code, proof = await proven(stack, number)
    assert (code, proof["outcome"]) == (PROVEN, "paid_once")
    assert proof["ledger"]["charge"]["sends"] == 1
    assert len(proof["portone"][0]["payments"]) == 1
    asked = [line.partition(":")[0] for line in words(proof)]
    assert {"charge_again", "find_payments"} <= set(asked)


async def test_a_refunded_one_says_by_which_refund_it_went_back(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    refund = (await stack.api.post(f"/v1/payments/{number}/refunds", json={"amount": 100, "reason": "ask"})).json()
    code, proof = await proven(stack, number)
    assert (code, proof["outcome"]) == (PROVEN, "paid_once")
    assert "and 100 KRW of it went back" in proof["sentences"][0]
    rest = (await stack.api.post(f"/v1/payments/{number}/refunds", json={"amount": 9800, "reason": "ask"})).json()
    code, proof = await proven(stack, number)
    assert (code, proof["outcome"]) == (PROVEN, "given_back")
    assert f"all went back, by {refund['refund_id']}, {rest['refund_id']}." in proof["sentences"][0]
    assert [row["state"] for row in proof["ledger"]["refunds"]] == ["refunded", "refunded"]


async def test_an_unknown_one_proves_nothing_and_says_what_was_sent(stack):
    _, number, _ = await unknowable(stack)
    code, proof = await proven(stack, number)
    assert (code, proof["outcome"]) == (NOT_PROVEN, "open")
    assert proof["sentences"][0].startswith("Nobody knows yet: ")


async def test_one_that_is_still_to_come_is_open_and_says_for_when(stack):
    uid = await stack.start()
    number = await current(stack, uid)
    code, proof = await proven(stack, number)
    assert (code, proof["outcome"]) == (NOT_PROVEN, "open")
    assert proof["sentences"][0].startswith("Nobody knows yet: scheduled at ")


async def test_an_order_that_is_not_ours_is_said_with_what_portone_has_of_it(stack):
    await stack.emulator.post("/emulator/window/billing-key", json={"customer_uid": "shop", "card_number": "4" * 16})
    row = await console(stack, "pay", customer_uid="shop", merchant_uid="shop-1", amount=500)
    code, proof = await proven(stack, "shop-1")
    assert (code, proof["outcome"], proof["history"]) == (NOT_OURS, "not_ours", None)
    assert proof["sentences"][0].startswith(f"Nobody here ordered shop-1; PortOne has 1 of it: {row['imp_uid']}")
    code, proof = await proven(stack, "nowhere-1")
    assert (code, proof["proof"]) == (NOT_OURS, "Nobody here ordered nowhere-1; PortOne has no payment of it.")


# ---------------------------------------------------------------- what stands against it


async def test_a_double_charge_is_no_proof(stack):
    await silence(stack)
    uid = await stack.start()
    number = await order_of(stack, uid)
    world = stack.account().world
    (row,) = world.payments_of(number)
    world.keep_payment({**row, "imp_uid": "imps_twin"})
    code, proof = await proven(stack, number)
    assert (code, proof["outcome"]) == (NOT_PROVEN, "contradicted")
    assert proof["sentences"][0].startswith("PortOne holds money of 2 payments for it: ")


async def test_the_same_amount_for_an_old_loop_stands_against_it(stack):
    await silence(stack)
    uid = await stack.start()
    await console(stack, "pay", customer_uid=uid, merchant_uid="old-loop-3", amount=9900)
    code, proof = await proven(stack, await order_of(stack, uid))
    assert (code, proof["outcome"]) == (NOT_PROVEN, "contradicted")
    assert proof["sentences"][0].startswith("The same key paid the same amount for somebody else's order: ")


async def test_a_payment_that_portone_lost_stands_against_it(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    world = stack.account().world
    (row,) = world.payments_of(number)
    world.store.drop("payments", row["imp_uid"])
    code, proof = await proven(stack, number)
    assert (code, proof["outcome"]) == (NOT_PROVEN, "contradicted")
    assert proof["sentences"][0] == f"The ledger says paid, by {row['imp_uid']}, and PortOne holds no money of it."


# ---------------------------------------------------------------- the history


async def test_what_came_before_a_run_continued_as_new_is_read_from_the_run_before(stack):
    stack.roll_after(20)
    uid = await stack.start()
    await stack.advance(uid, days=95)
    code, proof = await proven(stack, await order_of(stack, uid))
    assert code == PROVEN
    assert proof["history"]["runs"] > 1
    first = proof["history"]["events"][0]
    assert first["kind"] in {"activity_task_scheduled", "workflow_execution_started"}
    assert len({event["run_id"] for event in proof["history"]["events"]}) >= 1


@pytest.mark.soak
async def test_a_history_that_is_gone_is_said_and_the_proof_stands_by_the_books(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    await stack.handle(uid).terminate("by an operator")
    request = DeleteWorkflowExecutionRequest(
        namespace=stack.temporal.namespace, workflow_execution=WorkflowExecution(workflow_id=f"subscription/{uid}")
    )
    await stack.temporal.workflow_service.delete_workflow_execution(request)

    async def gone():
        try:
            await stack.handle(uid).describe()
        except RPCError:
            return True
        return False

    assert await until(gone, timeout_seconds=180)
    code, proof = await proven(stack, number)
    assert (code, proof["outcome"], proof["history"]["events"]) == (PROVEN, "paid_once", [])
    assert "has no run of" in proof["history"]["gone"]


async def test_a_history_that_does_not_name_it_any_more_is_said_to_be_gone(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    history = await leading_history(stack.temporal, f"subscription/{uid}", {number})
    assert (history.gone, history.runs) == (None, 1)
    other = await stack.start()
    history = await leading_history(stack.temporal, f"subscription/{other}", {number})
    assert history.events == ()
    assert history.gone.startswith(f"No run that Temporal still has of subscription/{other} names it")


async def test_with_temporal_away_the_books_still_prove_it(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    async with on_a_line(stack) as line:
        line.cut()
        code, proof = await proven(replace(stack, temporal=stack.app.state.desk.temporal), number)
    assert (code, proof["outcome"]) == (PROVEN, "paid_once")
    assert proof["history"]["gone"].startswith("Temporal could not be asked")


async def test_with_portone_away_nothing_is_proven(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    await stack.fault(path="findAll", kind="500_before")
    code, document = await proven(stack, number)
    assert (code, document["audited"]) == (NOT_OURS, False)


# ---------------------------------------------------------------- as it is read


async def test_a_person_reads_the_sentence_first_and_then_each_side(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    code, text = await read(stack, number)
    assert code == PROVEN
    assert text.startswith("paid once: PortOne holds the money of exactly one payment: ")
    headings = (f"PortOne, payments of {number}", "Ledger, intent and sends", "Ledger, what was found out")
    assert all(heading in text for heading in (*headings, f"History of subscription/{uid}"))


async def test_no_card_number_is_in_a_proof(stack):
    uid = await stack.start()
    _, proof = await proven(stack, await order_of(stack, uid))
    text = json.dumps(proof)
    assert "4518421234567890" not in text
    assert "4518-4212-3456-7890" not in text


@pytest.mark.parametrize("number", ["", "x" * 81, "a'b", "a\nb"])
def test_what_is_no_order_number_is_refused_before_anything_is_asked(number):
    assert CliRunner().invoke(app, ["proof", number]).exit_code == 2
