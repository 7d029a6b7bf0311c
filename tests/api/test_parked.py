"""Decisions over HTTP: strict, and never about something else than what was read."""

import pytest

from tests.api.requests import assert_nothing_happened, assert_problem, new_uid, refused

DECISION = {"decision": "retry", "by": "park", "reason": "통화함"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"decision": "forgive"}, "decision"),
        ({"decision": None}, "decision"),
        ({"decision": 1}, "decision"),
        ({"by": ""}, "by"),
        ({"by": "x" * 81}, "by"),
        ({"by": " "}, "body"),
        ({"reason": "\n"}, "reason"),
        ({"reason": None}, "reason"),
        ({"parked_id": ""}, "parked_id"),
        ({"parked_id": "a b"}, "parked_id"),
        ({"parked_id": "x" * 121}, "parked_id"),
        ({"amount": 1}, "amount"),
    ],
)
async def test_a_decision_that_is_none_is_refused(idle_stack, change, field):
    await refused(idle_stack, f"/v1/parked/{new_uid()}", {**DECISION, **change}, status=422, field=field)
    await assert_nothing_happened(idle_stack)


async def test_a_decision_needs_who_and_why(idle_stack):
    for missing in ("decision", "by", "reason"):
        body = {name: value for name, value in DECISION.items() if name != missing}
        await refused(idle_stack, f"/v1/parked/{new_uid()}", body, status=422, field=missing)


async def test_nobody_s_subscription_is_decided_upon(idle_stack):
    answer = await idle_stack.api.post(f"/v1/parked/{new_uid()}", json=DECISION)
    assert_problem(answer, status=404, code="subscription_not_found")
    named = await idle_stack.api.post(f"/v1/parked/{new_uid()}", json={**DECISION, "parked_id": "s1-1"})
    assert_problem(named, status=409, code="already_decided")


@pytest.mark.parametrize("uid", ["a/b", "a%00b", "구독자", "x" * 81])
async def test_what_is_no_customer_uid_is_refused(idle_stack, uid):
    answer = await idle_stack.api.post(f"/v1/parked/{uid}", json=DECISION)
    assert answer.status_code in (404, 405, 422)
    assert (await idle_stack.api.get("/v1/parked", params={"customer_uid": "a b"})).status_code == 422


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 201}, {"limit": "x"}, {"after": "x"}, {"after": "%%%"}])
async def test_a_page_that_is_none_is_refused(idle_stack, query):
    assert_problem(await idle_stack.api.get("/v1/parked", params=query), status=422)


async def test_where_nothing_stands_the_list_is_empty_and_nothing_was_decided(idle_stack):
    assert (await idle_stack.api.get("/v1/parked")).json() == {
        "parked": [],
        "next": None,
        "overdue": [],
        "overdue_next": None,
    }
    assert (await idle_stack.api.get(f"/v1/parked/{new_uid()}/decisions")).json() == {"decisions": []}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"amount": 100, "tax_free": -1}, "tax_free"),
        ({"amount": 100, "tax_free": True}, "tax_free"),
        ({"amount": 100, "vat_amount": 0.5}, "vat_amount"),
        ({"amount": 100, "tax_free": 60, "vat_amount": 41}, "body"),
        ({"amount": 100, "requester": "nobody"}, "requester"),
        ({"amount": 100, "checksum": 100}, "checksum"),
    ],
)
async def test_parts_of_a_refund_that_are_none_are_refused(idle_stack, body, field):
    await refused(idle_stack, "/v1/payments/pnobody/refunds", body, status=422, field=field)
