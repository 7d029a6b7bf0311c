"""Temporal, the ledger or the caller goes away in the middle of a request: what is said is true, nothing is doubled.

Where it is not said, a request has neither an Idempotency-Key nor an order number of its own: that is the hardest case.
"""

import asyncio
import contextlib
import dataclasses
import uuid

import httpx
import pytest
import pytest_asyncio

from billing.ledger import LedgerUnavailableError
from tests.api.requests import hold, key_body, new_uid, payment_body, subscription_body, won
from tests.line import on_a_line
from tests.soaking import soaking


@pytest_asyncio.fixture
async def line(stack):
    async with on_a_line(stack) as line:
        yield line


@dataclasses.dataclass
class Case:
    """A request that moves money or issues a key: its call at PortOne, and what must have happened exactly once."""

    path: str
    body: dict
    call: str
    named: tuple
    moved: dict
    key: str | None = None

    @classmethod
    def of_payment(cls, key=None, **more):
        moved = {"charges": 1, "refunded": 0, "keys": 0}
        return cls("/v1/payments", payment_body(**more), "onetime", ("merchant_uid", "run_url"), moved, key)

    async def send(self, stack, **more):
        headers = {"Idempotency-Key": self.key} if self.key else {}
        return await stack.api.post(self.path, json=self.body, headers=headers, **more)


async def payment(_stack):
    return Case.of_payment()


async def subscription(_stack):
    body = subscription_body()
    named = ("customer_uid", "merchant_uid", "run_url")
    moved = {"charges": 1, "refunded": 0, "keys": 1}
    return Case("/v1/subscriptions", body, "again", named, moved)


async def billing_key(_stack):
    body = key_body()
    moved = {"charges": 0, "refunded": 0, "keys": 1}
    return Case("/v1/billing-keys", body, "customers", ("customer_uid", "run_url"), moved)


async def refund(stack):
    paid = await stack.api.post("/v1/payments", json=payment_body(name="환불할 결제"))
    assert paid.status_code == 201
    number = paid.json()["merchant_uid"]
    named = ("merchant_uid", "refund_id", "run_url")
    moved = {"charges": 1, "refunded": 1000, "keys": 0}
    path = f"/v1/payments/{number}/refunds"
    return Case(path, {"amount": 1000}, "cancel", named, moved)


every_case = pytest.mark.parametrize(
    "case", soaking([payment, subscription, billing_key, refund], beside=[payment, refund])
)


async def moved(stack):
    totals = won((await stack.emulator.get("/emulator/books")).json()["totals"])
    keys = len(stack.account().world.store["keys"])
    return {"charges": totals["charges"], "refunded": totals["refunded"], "keys": keys}


def said(answer, case):
    """What there is to ask for, which every answer that is not final says."""
    body = answer.json()
    assert all(body.get(name) for name in case.named), body
    return {name: body[name] for name in case.named}


async def done_once(stack, case, names):
    """The same request again is answered with what was done, under the names that were told, and it was done once."""
    again = await case.send(stack)
    assert again.status_code == 201, again.text
    told = again.json()
    assert {name: told[name] for name in names if name in told} == {
        name: value for name, value in names.items() if name in told
    }
    assert await moved(stack) == case.moved


@every_case
async def test_a_temporal_that_dies_while_the_outcome_is_awaited_is_told_as_started_and_done_once(stack, line, case):
    case = await case(stack)
    came, go_on = hold(stack, case.call)
    sent = asyncio.create_task(case.send(stack))
    await came.wait()
    line.cut()
    answer = await sent
    assert answer.status_code == 202, answer.text
    assert "it was started" in answer.json()["detail"]
    names = said(answer, case)
    line.mend()
    go_on.set()
    await done_once(stack, case, names)


@every_case
async def test_a_start_whose_answer_is_lost_is_found_and_done_once(stack, line, case):
    case = await case(stack)

    async def lose_the_answer(start):
        await start()

    line.at_start = lose_the_answer
    answer = await case.send(stack)
    assert answer.status_code == 201, answer.text
    assert await moved(stack) == case.moved


@every_case
async def test_a_temporal_that_dies_with_the_answer_to_the_start_may_have_started_it_and_does_it_once(
    stack, line, case
):
    case = await case(stack)

    async def die_with_the_answer(start):
        await start()
        line.cut()

    line.at_start = die_with_the_answer
    answer = await case.send(stack)
    assert answer.status_code == 202, answer.text
    assert "it may have been started" in answer.json()["detail"]
    line.mend()
    await done_once(stack, case, said(answer, case))


@every_case
async def test_a_start_that_never_arrived_is_not_called_done_and_is_done_once_when_sent_again(stack, line, case):
    case = await case(stack)

    async def swallow(_start):
        """It never reaches Temporal."""

    line.at_start = swallow
    answer = await case.send(stack)
    assert answer.status_code == 202, answer.text
    assert "it may have been started" in answer.json()["detail"]
    await done_once(stack, case, said(answer, case))


@every_case
async def test_a_temporal_that_is_away_before_anything_has_started_nothing_and_the_names_stay(stack, line, case):
    case = await case(stack)
    before = await moved(stack)
    line.cut()
    answer = await case.send(stack)
    assert (answer.status_code, answer.json()["code"]) == (503, "temporal_unavailable")
    assert "nothing was started" in answer.json()["detail"]
    names = said(answer, case)
    assert await moved(stack) == before
    line.mend()
    await done_once(stack, case, names)


class Forgetful:
    """A ledger that goes away when it is asked for one of these."""

    def __init__(self, ledger, *methods):
        self._ledger = ledger
        self.methods = set(methods)

    def __getattr__(self, name):
        if name not in self.methods:
            return getattr(self._ledger, name)

        async def away(*_, **__):
            raise LedgerUnavailableError("the database is away")

        return away


@pytest.mark.parametrize(
    ("case", "methods"),
    [
        (payment, ["get_charge", "finish_idempotency_key", "release_idempotency_key", "leave_idempotency_key"]),
        (subscription, ["shown_subscription"]),
    ],
)
async def test_a_ledger_that_dies_after_the_money_moved_is_never_told_as_nothing_started(stack, case, methods):
    case = await case(stack)
    desk = stack.app.state.desk
    ledger = Forgetful(desk.ledger)
    stack.app.state.desk = dataclasses.replace(desk, ledger=ledger)
    if case.call == "again":
        came, go_on = hold(stack, case.call)
        sent = asyncio.create_task(case.send(stack))
        await came.wait()
        ledger.methods |= set(methods)
        go_on.set()
        answer = await sent
    else:
        ledger.methods |= set(methods)
        answer = await case.send(stack)
    assert answer.status_code == 202, answer.text
    assert "nothing was started" not in answer.text
    assert await moved(stack) == case.moved
    ledger.methods.clear()
    # What could not even be left is free once nobody has renewed it for a while.
    for slot in await claims(stack):
        await stack.ledger.leave_idempotency_key(*slot)
    await done_once(stack, case, said(answer, case))


async def test_a_ledger_that_is_away_before_the_start_says_that_nothing_was_started(stack):
    desk = stack.app.state.desk
    stack.app.state.desk = dataclasses.replace(desk, ledger=Forgetful(desk.ledger, "subscription_on_key"))
    answer = await stack.api.post("/v1/payments", json=payment_body(customer_uid=new_uid()))
    assert (answer.status_code, answer.json()["code"]) == (503, "ledger_unavailable")
    assert "nothing was started" in answer.json()["detail"]
    assert answer.json()["merchant_uid"]
    assert await moved(stack) == {"charges": 0, "refunded": 0, "keys": 0}


class WrittenUnsaid(Forgetful):
    """A ledger that does what it is asked, and goes away before it says so."""

    def __getattr__(self, name):
        work = getattr(self._ledger, name)
        if name not in self.methods:
            return work

        async def unsaid(*args, **more):
            await work(*args, **more)
            raise LedgerUnavailableError("the database is away")

        return unsaid


class Beside:
    """A ledger, some of whose rooms are others."""

    def __init__(self, ledger, **rooms):
        self._ledger = ledger
        vars(self).update(rooms)

    def __getattr__(self, name):
        return getattr(self._ledger, name)


@pytest.mark.parametrize(
    ("method", "path", "body", "room", "write"),
    [
        (
            "POST",
            "/v1/plans",
            {"plan_id": "gold", "name": "월간 이용권", "amount": 9900, "interval": "month"},
            "",
            "put_plan",
        ),
        ("POST", "/v1/event-endpoints", {"url": "http://127.0.0.1:1/other"}, "endpoints", "add"),
        ("DELETE", "/v1/event-endpoints/{endpoint_id}", None, "endpoints", "delete"),
        ("POST", "/v1/event-endpoints/{endpoint_id}/rotate-secret", None, "endpoints", "rotate"),
        ("POST", "/v1/event-endpoints/{endpoint_id}/test", None, "endpoints", "ping"),
        ("POST", "/v1/events/{event_id}/replay", None, "events", "replay"),
        ("POST", "/v1/reconciliation/differences/1/accept", {"who": "kim", "why": "known"}, "differences", "accept"),
    ],
)
async def test_a_write_whose_answer_is_lost_is_not_called_not_started(stack, method, path, body, room, write):
    endpoint = await stack.api.post("/v1/event-endpoints", json={"url": "http://127.0.0.1:1/"})
    endpoint_id = endpoint.json()["endpoint_id"]
    event_id = (await stack.api.post(f"/v1/event-endpoints/{endpoint_id}/test")).json()["event_id"]
    desk = stack.app.state.desk
    if room == "endpoints":
        away = {"endpoints": WrittenUnsaid(desk.endpoints, write)}
    elif room:
        away = {"ledger": Beside(desk.ledger, **{room: WrittenUnsaid(getattr(desk.ledger, room), write)})}
    else:
        away = {"ledger": WrittenUnsaid(desk.ledger, write)}
    with with_desk(stack, **away):
        told = await stack.api.request(method, path.format(endpoint_id=endpoint_id, event_id=event_id), json=body)
    assert (told.status_code, told.json()["code"]) == (503, "ledger_unavailable"), told.text
    assert "nothing was started" not in told.text
    assert "whether this was written is not known" in told.json()["detail"]


async def test_a_plan_whose_answer_was_lost_is_the_same_version_when_it_is_sent_again(stack):
    terms = {"plan_id": "unsaid", "name": "월간 이용권", "amount": 9900, "interval": "month"}
    with with_desk(stack, ledger=WrittenUnsaid(stack.ledger, "put_plan")):
        assert (await stack.api.post("/v1/plans", json=terms)).status_code == 503
    assert (await stack.api.get("/v1/plans/unsaid")).json()["version"] == 1
    assert (await stack.api.post("/v1/plans", json=terms)).json()["version"] == 1


@contextlib.contextmanager
def with_desk(stack, **other):
    """The api works with something else for as long as the block takes."""
    desk = stack.app.state.desk
    stack.app.state.desk = dataclasses.replace(desk, **other)
    try:
        yield
    finally:
        stack.app.state.desk = desk


async def test_a_ledger_that_is_away_for_a_look_says_nothing_of_a_start(stack):
    desk = stack.app.state.desk
    stack.app.state.desk = dataclasses.replace(desk, ledger=Forgetful(desk.ledger, "get_charge"))
    answer = await stack.api.get(f"/v1/payments/{uuid.uuid4().hex}")
    assert (answer.status_code, answer.json()["code"]) == (503, "ledger_unavailable")
    assert "started" not in answer.text


@pytest.mark.parametrize("case", [payment, refund])
async def test_a_caller_that_gave_up_waiting_and_sends_the_same_again_is_told_what_was_done(stack, case):
    case = await case(stack)
    came, go_on = hold(stack, case.call)
    with pytest.raises(httpx.ReadTimeout):
        await case.send(stack, timeout=0.5)
    await came.wait()
    twin = await case.send(stack)
    assert (twin.status_code, twin.json()["code"]) == (409, "request_in_progress")
    names = said(twin, case)
    go_on.set()
    while (await case.send(stack)).status_code != 201:
        await asyncio.sleep(0.05)
    assert await moved(stack) == case.moved
    assert names["merchant_uid"]


async def test_two_payments_that_were_each_answered_are_two(stack):
    body = payment_body()
    first, second = [(await stack.api.post("/v1/payments", json=body)).json()["merchant_uid"] for _ in range(2)]
    assert first != second
    assert (await moved(stack))["charges"] == 2


async def claims(stack):
    async with stack.ledger._engine.connect() as connection:
        return (await connection.exec_driver_sql("SELECT scope, key FROM idempotency_keys")).all()
