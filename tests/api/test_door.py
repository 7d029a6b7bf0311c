"""At the door: what is refused before anything else, what is said of errors nobody foresaw, and lists by customer."""

import asyncio
import json
from datetime import timedelta

import pytest
import structlog
from temporalio import workflow
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

import api.body_limit
from billing.domain.records import Customer, LedgerEntry
from billing.ledger import LedgerError
from tests.api.requests import CARD, CARD_NUMBER, assert_problem, payment_body, subscription_body
from tests.ledger.stories import subscription
from tests.patience import PATIENCE_SECONDS
from tests.stack import AUTH

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def logged():
    with structlog.testing.capture_logs() as lines:
        yield lines


def holds_no_card(text):
    return not any(value in text for value in (CARD_NUMBER, CARD_NUMBER.replace("-", ""), *CARD.values()))


# ---------------------------------------------------------------- errors that nobody foresaw


@pytest.mark.parametrize(
    "error", [RuntimeError(CARD_NUMBER), KeyError(CARD["birth"]), LedgerError("refused"), RecursionError()]
)
async def test_an_error_of_ours_is_a_problem_with_an_id_and_one_line_in_the_log(idle_stack, monkeypatch, logged, error):
    async def failing(*_args, **_more):
        raise error from ValueError(CARD_NUMBER)

    monkeypatch.setattr(idle_stack.ledger, "claim_idempotency_key", failing)
    sent = {"Idempotency-Key": "a"}
    answer = await idle_stack.api.post("/v1/payments", json=payment_body(), headers=sent)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    problem = answer.json()
    assert (problem["code"], problem["request_id"]) == ("internal_error", answer.headers["x-request-id"])
    (line,) = [each for each in logged if each["log_level"] == "error"]
    assert line["request_id"] == problem["request_id"]
    assert type(error).__name__ in line["error"]
    assert any("idempotency.py" in frame for frame in line["where"])
    assert holds_no_card(answer.text)
    assert holds_no_card(json.dumps(logged, default=str))


async def test_an_error_in_a_layer_around_the_routes_is_a_problem_too(idle_stack, monkeypatch, logged):
    def failing(**_scope):
        raise RuntimeError(CARD_NUMBER)

    monkeypatch.setattr(api.body_limit, "Headers", failing)
    answer = await idle_stack.api.get("/v1/plans")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert len([each for each in logged if each["log_level"] == "error"]) == 1


async def test_every_answer_names_its_request(idle_stack):
    answers = [await idle_stack.api.get(path) for path in ("/healthz", "/v1/plans", "/v1/nobody", "/nobody")]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 4


# ---------------------------------------------------------------- a run whose code fails


@workflow.defn(name="SubscriptionWorkflow", sandboxed=False)
class Broken:
    """A subscription on a release that cannot run it."""

    @workflow.run
    async def run(self, _start: dict, _carried: dict | None) -> None:
        raise RuntimeError("a release that should not have been")


async def test_a_command_to_a_run_that_cannot_go_on_is_answered_soon_and_says_so(stack):
    uid, queue = "buyer_stuck", f"{stack.task_queue}-broken"
    record = subscription(customer_uid=uid, workflow_id=f"subscription/{uid}")
    await stack.ledger.record(LedgerEntry(subscription=record))
    stack.answer_within(2 * PATIENCE_SECONDS)
    async with Worker(
        stack.temporal, task_queue=queue, workflows=[Broken], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        run = await stack.temporal.start_workflow(
            "SubscriptionWorkflow", args=[{}, None], id=record.workflow_id, task_queue=queue
        )
        # From the third failed attempt on Temporal takes no command any more.
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await run.describe()).raw_description.pending_workflow_task.attempt < 4:
                await asyncio.sleep(0.05)
        for method, path, body in (
            ("POST", "cancel", None),
            ("POST", "pause", {"at": "now"}),
            ("POST", "change-plan", {"quantity": 2}),
            ("DELETE", "pending-change", None),
            ("GET", "preview", None),
        ):
            # Without waiting for the outcome.
            answer = await asyncio.wait_for(
                stack.api.request(method, f"/v1/subscriptions/{uid}/{path}", json=body), PATIENCE_SECONDS
            )
            assert (answer.status_code, answer.json()["code"]) == (503, "run_cannot_go_on"), answer.text
            assert answer.headers["content-type"] == "application/problem+json"
        await run.terminate()


# ---------------------------------------------------------------- before anything else


@pytest.mark.parametrize("path", ["/v1/subscriptions/", "/v1/payments/", "/v1/plans/", "/healthz/"])
async def test_another_path_is_never_sent_elsewhere(idle_stack, path):
    sent = {"X-Forwarded-Proto": "https", "Host": "gudok.example"}
    answer = await idle_stack.api.post(path, json=subscription_body(), headers=sent, follow_redirects=False)
    assert_problem(answer, status=404 if path != "/v1/plans/" else None)
    assert "location" not in answer.headers


async def test_a_wrong_key_with_a_wrong_body_is_a_wrong_key(idle_stack):
    for content in (b"{", b"\xff", b'{"a": 1, "a": 2}', b"a" * 70_000):
        headers = {**JSON, "Authorization": "Bearer wrong"}
        answer = await idle_stack.api.post("/v1/payments", content=content, headers=headers)
        assert_problem(answer, status=401, code="unauthorized")


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b'{"amount": 1000, "name": "a", "amount": 100}', "amount"),
        (b'{"amount": 1000, "card": {"expiry": "2099-12", "expiry": "2098-12"}}', "expiry"),
        (b'{"amount": 1000, "\\u0061mount": 100}', "amount"),
        (f'{{"{CARD_NUMBER}": 1, "{CARD_NUMBER}": 2}}'.encode(), "?"),
    ],
)
async def test_a_key_that_is_given_twice_is_refused_by_name(idle_stack, content, field):
    answer = await idle_stack.api.post("/v1/payments", content=content, headers=JSON)
    assert_problem(answer, status=422, code="duplicate_key", field=field)


async def test_a_body_where_none_is_taken_is_refused(idle_stack):
    answer = await idle_stack.api.post("/v1/subscriptions/nobody/undo-cancel", json={"at": "now"})
    assert_problem(answer, status=422, code="unexpected_body")
    for empty in (b"", b"{}", b" "):
        answer = await idle_stack.api.post("/v1/subscriptions/nobody/undo-cancel", content=empty, headers=JSON)
        assert_problem(answer, status=404)


async def test_what_a_path_takes_is_said_with_the_refusal_of_another_method(idle_stack):
    answer = await idle_stack.api.put("/v1/plans")
    assert_problem(answer, status=405, code="method_not_allowed")
    assert answer.headers["allow"] == "POST" or "GET" in answer.headers["allow"]


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("path", ["/webhooks/portone", "/iamport-callback/schedule"])
async def test_portone_may_add_to_what_it_sends(idle_stack, path, content_type):
    fields = {"imp_uid": "imp_nobody", "merchant_uid": "order-of-nobody", "status": "paid", "nobody": "1"}
    sent = {"json": fields} if content_type == "application/json" else {"data": fields}
    answer = await idle_stack.api.post(f"{path}?nobody=1&nobody=2", **sent)
    assert answer.status_code == 200


# ---------------------------------------------------------------- a list by customer


async def test_the_subscriptions_of_one_customer_are_those_alone(stack):
    for n, customer in enumerate(["gildong", "gildong", "younghee", None]):
        record = subscription(
            subscription_id=f"s{n}" * 10,
            customer_uid=f"card_{n}",
            workflow_id=f"subscription/card_{n}",
            customer=Customer(customer, "이름"),
            started_at=subscription().started_at + timedelta(days=n),
        )
        await stack.ledger.record(LedgerEntry(subscription=record))

    async def listed(**query):
        answer = await stack.api.get("/v1/subscriptions", params=query, headers=AUTH)
        assert answer.status_code == 200, answer.text
        return [row["customer_uid"] for row in answer.json()["subscriptions"]]

    assert await listed(customer_id="gildong") == ["card_1", "card_0"]
    assert await listed(customer_id="younghee") == ["card_2"]
    assert await listed(customer_id="nobody") == []
    assert await listed(customer_id="gildong", status="canceled") == []
    assert len(await listed()) == 4
