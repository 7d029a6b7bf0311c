"""Each kind of fault: what was done in spite of it, what the client was told, which webhooks left, who acted."""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

from billing.emulator.fault_kinds import ATTEMPTS, CALLS, KINDS, MOMENTS
from billing.emulator.faults import Fault

EMULATOR = Path(__file__).parents[2] / "billing/emulator"


def test_every_kind_is_told_of_and_every_call_has_its_name():
    assert set(KINDS) == set(get_args(Fault.model_fields["kind"].annotation))
    assert {kind.moment for kind in KINDS.values()} == set(MOMENTS)
    source = "".join(path.read_text() for path in sorted((EMULATOR / "routes").glob("*.py")))
    assert set(re.findall(r'perform\(\s*request, "(\w+)"', source)) == set(CALLS)
    assert set(ATTEMPTS) - {"console", "recovery"} <= set(CALLS)


async def test_a_connection_cut_before_the_call_has_done_nothing(merchant):
    await merchant.issue()
    await merchant.fault("drop_before", path="again", count=1)
    with pytest.raises(ConnectionError):
        await merchant.again("m1")
    assert await merchant.charges() == []


async def test_too_many_requests_need_not_say_when_to_come_back(merchant):
    await merchant.issue()
    await merchant.fault("429_bare", path="again", count=1)
    limited = await merchant.again("m1")
    assert limited.status_code == 429
    assert "retry-after" not in limited.headers
    assert await merchant.charges() == []


@pytest.mark.parametrize(("more", "to"), [({}, "/"), ({"location": "https://elsewhere.invalid/x"}, None)])
async def test_a_redirect_does_nothing(merchant, more, to):
    await merchant.issue()
    await merchant.fault("redirect", path="again", count=1, **more)
    answer = await merchant.again("m1")
    assert (answer.status_code, answer.headers["location"]) == (302, to or more["location"])
    assert await merchant.charges() == []


async def test_a_call_can_be_executed_long_after_its_client_gave_up(merchant, receiver):
    await merchant.issue()
    await merchant.fault("execute_late", path="again", count=1, seconds=600)
    assert (await merchant.again("m1")).status_code == 504
    await merchant.advance(599)
    assert await merchant.charges() == []
    await merchant.advance(2)
    assert [row["merchant_uid"] for row in await merchant.charges()] == ["m1"]
    assert await receiver.have(1) == [receiver.received[0]]
    assert receiver.seen == [("m1", "paid")]


async def test_a_late_call_that_is_refused_by_then_changes_nothing(merchant):
    await merchant.issue()
    await merchant.fault("execute_late", path="again", count=1, seconds=600)
    assert (await merchant.again("m1")).status_code == 504
    assert (await merchant.again("m1")).json()["code"] == 0
    await merchant.advance(3600)
    assert len(await merchant.charges()) == 1


async def test_a_late_call_without_a_token_is_refused_at_once(merchant):
    await merchant.fault("execute_late", path="again", seconds=1)
    answer = await merchant.call("POST", "/subscribe/payments/again", {}, headers={"Authorization": "wrong"})
    assert answer.status_code == 401


async def test_a_slow_answer_is_whole_in_the_end(merchant):
    await merchant.issue()
    await merchant.fault("slow_drip", path="again", count=1, seconds=0.1)
    answer = await merchant.again("m1")
    assert answer.json()["response"]["merchant_uid"] == "m1"
    assert answer.elapsed.total_seconds() >= 0.1


@pytest.mark.parametrize(
    ("kind", "more", "field", "wrong"),
    [
        ("wrong_amount", {}, "amount", 9901),
        ("wrong_amount", {"amount": 100}, "amount", 100),
        ("wrong_merchant_uid", {}, "merchant_uid", "m1_other"),
        ("wrong_customer_uid", {}, "customer_uid", "kim_other"),
    ],
)
async def test_an_answer_can_be_wrong_where_the_books_are_right(merchant, kind, more, field, wrong):
    await merchant.issue()
    await merchant.fault(kind, path="again", count=1, **more)
    told = (await merchant.again("m1")).json()["response"]
    (charge,) = await merchant.charges()
    assert (told[field], charge["amount"], charge["merchant_uid"]) == (wrong, 9900, "m1")
    assert told["status"] == "paid"


async def test_an_answer_can_name_a_payment_that_does_not_exist(merchant):
    await merchant.issue()
    await merchant.again("m1")
    await merchant.fault("wrong_imp_uid", path="findAll")
    (told,) = (await merchant.ok("GET", "/payments/findAll/m1"))["list"]
    (charge,) = await merchant.charges()
    assert told["imp_uid"] != charge["imp_uid"]
    assert (await merchant.call("GET", f"/payments/{told['imp_uid']}")).status_code == 404


async def test_a_refusal_has_nothing_to_be_wrong_about(merchant):
    await merchant.fault("wrong_amount", path="again")
    assert (await merchant.again("m1")).json()["response"] is None


async def test_a_rule_knows_an_order_by_its_imp_uid_and_its_key_by_its_order(merchant):
    await merchant.issue()
    imp_uid = (await merchant.again("m1")).json()["response"]["imp_uid"]
    await merchant.fault("500_before", path="payments_get", merchant_uid="m1", customer_uid="kim")
    await merchant.fault("500_before", path="find", customer_uid="kim")
    assert (await merchant.call("GET", f"/payments/{imp_uid}")).status_code == 500
    assert (await merchant.call("GET", "/payments/find/m1")).status_code == 500
    assert (await merchant.call("GET", "/payments/find/m2")).status_code == 404


# ------------------------------------------------------------------ webhooks


async def test_webhooks_can_come_out_of_order(merchant, receiver):
    await merchant.issue()
    await merchant.fault("reorder_webhook", count=1)
    for number in (1, 2, 3):
        await merchant.schedule(f"m{number}", after=60 * number)
    await merchant.advance(61)
    assert [hook["state"] for hook in await merchant.control("GET", "webhooks")] == ["held"]
    await merchant.advance(3600)
    assert [order for order, _ in receiver.seen] == ["m2", "m1", "m3"]


async def test_what_is_held_for_a_webhook_that_never_comes_is_sent_in_the_end(merchant, receiver):
    await merchant.issue()
    await merchant.fault("reorder_webhook", seconds=600)
    await merchant.again("m1")
    await merchant.advance(599)
    assert receiver.seen == []
    await merchant.advance(2)
    assert receiver.seen == [("m1", "paid")]


async def test_a_held_webhook_survives_a_restart(start, receiver, tmp_path):
    first = await start(state_file=tmp_path / "state.db", webhook_url=receiver.url)
    await first.issue()
    await first.fault("reorder_webhook", count=1)
    await first.again("m1")
    second = await start(state_file=tmp_path / "state.db", webhook_url=receiver.url)
    await second.again("m2")
    await receiver.have(2)
    assert [order for order, _ in receiver.seen] == ["m2", "m1"]


async def test_a_forged_twin_comes_before_the_true_webhook_and_names_no_payment(merchant, receiver):
    await merchant.issue()
    await merchant.fault("forge_webhook", status="cancelled", count=1)
    await merchant.again("m1")
    forged, true = (await receiver.have(2))[:2]
    assert (forged["merchant_uid"], forged["status"], true["status"]) == ("m1", "cancelled", "paid")
    assert (await merchant.call("GET", f"/payments/{forged['imp_uid']}")).status_code == 404
    assert (await merchant.call("GET", f"/payments/{true['imp_uid']}")).status_code == 200
    assert [hook.get("forged") for hook in await merchant.control("GET", "webhooks")] == [True, None]


async def test_a_webhook_can_come_before_the_response(merchant, receiver):
    await merchant.issue()
    receiver.gate.clear()
    await merchant.fault("early_webhook", merchant_uid="m1")
    charging = asyncio.create_task(merchant.again("m1"))
    await receiver.have(1)
    assert not charging.done()
    receiver.gate.set()
    assert (await charging).json()["code"] == 0


# ------------------------------------------------------------------ the console


async def test_a_person_can_revoke_what_was_just_registered(merchant):
    await merchant.issue()
    await merchant.fault("console", path="schedule", act={"act": "revoke"}, count=1)
    assert (await merchant.schedule("m1"))["schedule_status"] == "scheduled"
    assert (await merchant.ok("GET", "/subscribe/payments/schedule/m1"))["schedule_status"] == "revoked"
    assert await merchant.advance(7200) == []


async def test_a_person_can_refund_the_second_charge_an_hour_after_it(merchant, receiver):
    await merchant.issue()
    await merchant.fault("console", path="again", act={"act": "cancel"}, after=1, count=1, seconds=3600)
    for number in (1, 2, 3):
        await merchant.again(f"m{number}")
    await merchant.advance(3540)
    assert {row["status"] for row in await merchant.charges()} == {"paid"}
    await merchant.advance(120)
    refunded = [row["merchant_uid"] for row in await merchant.charges() if row["status"] == "cancelled"]
    assert refunded == ["m2"]
    await receiver.have(4)
    assert receiver.seen[-1] == ("m2", "cancelled")


async def test_a_person_can_move_a_schedule_by_a_day(merchant):
    await merchant.issue()
    await merchant.fault("console", path="schedule", act={"act": "move", "by_seconds": 86_400}, count=1)
    before = await merchant.schedule("m1")
    after = await merchant.ok("GET", "/subscribe/payments/schedule/m1")
    assert after["schedule_at"] - before["schedule_at"] == 86_400


async def test_an_act_can_stand_for_an_instant_and_for_the_start(merchant):
    await merchant.issue()
    await merchant.schedule("m1", after=7200)
    at = await merchant.now() + 3600
    rules = [
        {"kind": "console", "at": "start", "act": {"act": "recovery", "hour": 9}},
        {"kind": "console", "at": _iso(at), "act": {"act": "revoke", "merchant_uid": "m1"}},
        {"kind": "decline", "path": "schedule"},
    ]
    await merchant.control("POST", "faults", {"rules": rules})
    assert [rule["fired"] for rule in await merchant.control("GET", "faults")] == [1, 0, 0]
    await merchant.schedule("m2", after=60)
    await merchant.advance(3540)
    assert (await merchant.ok("GET", "/subscribe/payments/schedule/m1"))["schedule_status"] == "scheduled"
    await merchant.advance(120)
    assert (await merchant.ok("GET", "/subscribe/payments/schedule/m1"))["schedule_status"] == "revoked"
    assert await merchant.advance(3 * 86_400) == ["m2"]
    assert [rule["fired"] for rule in await merchant.control("GET", "faults")] == [1, 1, 1]


async def test_an_act_that_the_console_refuses_is_told_with_its_rule(merchant):
    await merchant.issue()
    await merchant.fault("console", path="again", act={"act": "revoke", "merchant_uid": "nothing"})
    assert (await merchant.again("m1")).json()["code"] == 0
    (rule,) = await merchant.control("GET", "faults")
    assert rule["fired"] == 1
    assert rule["refused"]


async def test_a_planned_act_outlives_a_restart_and_goes_with_its_rule(start, tmp_path):
    first = await start(state_file=tmp_path / "state.db")
    await first.issue()
    await first.fault("console", path="again", act={"act": "cancel"}, seconds=60, merchant_uid="m?")
    await first.again("m1")
    second = await start(state_file=tmp_path / "state.db")
    await second.advance(61)
    assert [row["status"] for row in await second.charges()] == ["cancelled"]
    await second.again("m2")
    await second.control("DELETE", "faults")
    await second.advance(61)
    assert [row["status"] for row in await second.charges()] == ["cancelled", "paid"]


def _iso(seconds):
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def test_every_kind_is_on_the_page_of_faults_in_both_languages():
    page = (EMULATOR.parents[1] / "docs/reference/faults.md").read_text(encoding="utf-8")
    for name, kind in KINDS.items():
        taken = ", ".join(f"`{one}`" for one in kind.takes)
        assert f"| `{name}` | {taken} | {kind.english} | {kind.korean} |\n" in page
