"""/v1/reconciliation: run now, read what differs, take it as it is."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.api.requests import assert_problem
from tests.reconciled import console, current

NOW = {"settle_minutes": 0}


async def differing(stack):
    """One subscriber, whose key was charged by hand."""
    uid = await stack.start()
    await current(stack, uid)
    await console(stack, "pay", customer_uid=uid, merchant_uid=f"by-hand-{uid}", amount=900)
    return uid


async def run(stack, body=NOW, **options):
    return await stack.api.post("/v1/reconciliation", json=body, **options)


async def differences(stack, **query):
    answer = await stack.api.get("/v1/reconciliation/differences", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_what_differs_is_counted_and_listed_with_a_sentence_and_a_link_to_the_run(stack):
    await stack.fault(path="webhook", kind="drop_webhook")
    uid = await differing(stack)
    answer = await run(stack)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["state"], told["counts"]["payments"], told["counts"]["differences"]) == ("done", 2, 1)
    assert told["run_url"].endswith(f"/workflows/{told['run_id'].replace('/', '%2F')}")
    assert datetime.fromisoformat(told["from"]) < datetime.now(UTC) - timedelta(days=2, hours=23)
    (shown,) = (await differences(stack, state="open"))["differences"]
    assert (shown["kind"], shown["customer_uid"]) == ("paid_at_portone_unknown_here", uid)
    assert (shown["amount"], shown["currency"], shown["portone"]) == (900, "KRW", "paid 900 KRW")
    assert shown["sentence"] == "PortOne holds money for an order or a key of ours, booked nowhere here."
    assert shown["run_url"].endswith(f"subscription%2F{uid}")
    assert shown["rung_at"] is not None
    (listed,) = (await stack.api.get("/v1/reconciliation/runs")).json()["runs"]
    assert (listed["run_id"], listed["state"], listed["counts"]) == (told["run_id"], "done", told["counts"])


async def test_without_a_body_the_last_days_are_compared(stack):
    answer = await stack.api.post("/v1/reconciliation")
    assert (answer.status_code, answer.json()["counts"]["payments"]) == (200, 0)


async def test_a_run_that_takes_long_is_answered_202_with_a_link(stack):
    stack.quick()
    async with stack.holding("status"):
        answer = await run(stack)
    told = answer.json()
    assert (answer.status_code, told["state"]) == (202, "running")
    while (await stack.api.get("/v1/reconciliation/runs")).json()["runs"][0]["state"] != "done":
        await asyncio.sleep(0.1)


async def test_a_window_is_compared_as_given_in_any_zone(stack):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    body = {"from": "2026-01-01T09:00:00+09:00", "to": "2026-07-01T00:00:00Z", "settle_minutes": 0}
    told = (await run(stack, body)).json()
    assert datetime.fromisoformat(told["from"]) == start
    assert told["to"] == "2026-07-01T00:00:00Z"
    assert told["schedules_to"] == "2026-09-20T00:00:00Z"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "body"),
        ({"from": "2001-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "body"),
        ({"from": "2001-01-01T00:00:00Z"}, "body"),
        ({"to": "2199-01-01T00:00:00Z"}, "body"),
        ({"from": "1990-01-01T00:00:00Z"}, "from"),
        ({"from": 1767225600}, "from"),
        ({"from": "0001-01-01T00:00:00+14:00"}, "from"),
        ({"from": "2026-02-01T00:00:00"}, "from"),
        ({"from": "yesterday"}, "from"),
        ({"settle_minutes": -1}, "settle_minutes"),
        ({"settle_minutes": "0"}, "settle_minutes"),
        ({"since": "2026-02-01T00:00:00Z"}, "since"),
    ],
)
async def test_what_is_no_window_is_refused(idle_stack, body, field):
    answer = await run(idle_stack, body)
    assert_problem(answer, status=422, code="invalid_request", field=field)
    assert (await idle_stack.api.get("/v1/reconciliation/runs")).json()["runs"] == []


async def test_the_same_idempotency_key_runs_once(stack):
    headers = {"Idempotency-Key": "reconcile-1"}
    first, second = await run(stack, headers=headers), await run(stack, headers=headers)
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len((await stack.api.get("/v1/reconciliation/runs")).json()["runs"]) == 1


async def test_a_difference_is_accepted_by_somebody_with_a_reason_and_then_it_is_not_open(stack):
    await stack.fault(path="webhook", kind="drop_webhook")
    await differing(stack)
    await run(stack)
    (shown,) = (await differences(stack, state="open"))["differences"]
    path = f"/v1/reconciliation/differences/{shown['id']}/accept"
    accepted = await stack.api.post(path, json={"who": "김담당", "why": "agreed by phone"})
    assert accepted.status_code == 200, accepted.text
    told = accepted.json()
    assert (told["state"], told["accepted_by"], told["accepted_why"]) == ("accepted", "김담당", "agreed by phone")
    assert told["accepted_at"] is not None
    again = await stack.api.post(path, json={"who": "Lee", "why": "me too"})
    assert assert_problem(again, status=409, code="difference_not_open")["state"] == "accepted"
    await run(stack)
    assert (await differences(stack, state="open"))["differences"] == []
    (kept,) = (await differences(stack, state="accepted"))["differences"]
    assert kept["accepted_by"] == "김담당"


@pytest.mark.parametrize("body", [{}, {"who": "Kim"}, {"who": "", "why": "x"}, {"who": "Kim", "why": "x" * 201}])
async def test_accepting_needs_who_and_why(idle_stack, body):
    answer = await idle_stack.api.post("/v1/reconciliation/differences/1/accept", json=body)
    assert_problem(answer, status=422, code="invalid_request")


async def test_what_is_not_there_is_not_accepted(idle_stack):
    answer = await idle_stack.api.post(
        "/v1/reconciliation/differences/999/accept", json={"who": "Kim", "why": "no reason"}
    )
    assert_problem(answer, status=404, code="difference_not_found")


@pytest.mark.soak
async def test_differences_and_runs_are_listed_page_by_page(stack):
    await stack.fault(path="webhook", kind="drop_webhook")
    for _ in range(3):
        await differing(stack)
    for _ in range(3):
        assert (await run(stack)).status_code == 200
    seen, after = [], None
    while after is not None or not seen:
        page = await differences(stack, limit=2, **({"after": after} if after else {}))
        seen += [each["id"] for each in page["differences"]]
        after = page["next"]
    assert len(seen) == len(set(seen)) == 3
    first = (await stack.api.get("/v1/reconciliation/runs", params={"limit": 2})).json()
    rest = (await stack.api.get("/v1/reconciliation/runs", params={"after": first["next"]})).json()
    assert (len(first["runs"]), len(rest["runs"]), rest["next"]) == (2, 1, None)


@pytest.mark.parametrize("path", ["differences?state=unheard", "differences?after=0", "runs?after=!!!", "runs?limit=0"])
async def test_a_list_that_is_not_understood_is_refused(idle_stack, path):
    assert_problem(await idle_stack.api.get(f"/v1/reconciliation/{path}"), status=422)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["", "/runs", "/differences", "/differences/1/accept"])
async def test_every_path_needs_an_api_key(idle_stack, method, path):
    answer = await idle_stack.api.request(method, f"/v1/reconciliation{path}", headers={"Authorization": "Bearer no"})
    assert answer.status_code in (401, 405)
