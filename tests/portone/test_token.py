"""The access token: one fetch for everybody, renewed before its end by PortOne's own clock, one refresh on 401."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from billing.domain.outcomes import ChargeOutcome
from billing.portone import PortOneAuthError, PortOneRateLimitedError, PortOneUnavailableError
from billing.portone.exchange import Answer, Call
from billing.portone.session import Session
from tests.patience import PATIENCE_SECONDS

CHARGE = Call("POST", "/subscribe/payments/again", body={"merchant_uid": "order_1"})


class Monotonic:
    def __init__(self) -> None:
        self.seconds = 5_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def monotonic():
    return Monotonic()


@pytest.fixture
async def session(wire, monotonic):
    session = Session(
        base_url="http://portone.test",
        imp_key="k",
        imp_secret="s",
        transport=httpx.MockTransport(wire),
        monotonic=monotonic,
    )
    yield session
    await session.aclose()


def refuses_tokens(wire, *refused):
    """PortOne answers 401 to these tokens and pays with any other."""

    def answer(request):
        if request.headers["Authorization"] in {f"Bearer {token}" for token in refused}:
            return wire.envelope(code=-1, message="Unauthorized", status=401)
        return wire.envelope(wire.payment())

    wire.answer = answer


def grants_in_turn(wire, *tokens):
    rest = iter(tokens)
    wire.token_answer = lambda _: wire.grant(next(rest))


async def test_fifty_callers_at_once_share_one_fetch(wire, client):
    asked, granted = asyncio.Event(), asyncio.Event()

    async def slowly(_request):
        asked.set()
        await granted.wait()
        return wire.grant()

    wire.token_answer = slowly
    wire.says(wire.envelope(wire.payment()))
    charging = [asyncio.create_task(client.charge_again(wire.again())) for _ in range(50)]
    await asked.wait()
    granted.set()
    answers = await asyncio.gather(*charging)
    assert {answer.outcome for answer in answers} == {ChargeOutcome.PAID}
    assert (len(wire.token_requests), len(wire.requests)) == (1, 50)


async def test_fifty_callers_refused_at_once_share_one_refresh(wire, client):
    grants_in_turn(wire, "old", "new")
    refuses_tokens(wire, "old")
    await client.server_now()
    answers = await asyncio.gather(*(client.charge_again(wire.again()) for _ in range(50)))
    assert {answer.outcome for answer in answers} == {ChargeOutcome.PAID}
    assert len(wire.token_requests) == 2


async def test_a_token_is_kept_until_half_a_minute_before_its_end(wire, session, monotonic):
    await session.call(CHARGE)
    monotonic.seconds += 1800 - 31
    await session.call(CHARGE)
    assert len(wire.token_requests) == 1
    monotonic.seconds += 2
    await session.call(CHARGE)
    assert len(wire.token_requests) == 2


@pytest.mark.parametrize("skew", [timedelta(days=-400), timedelta(hours=-1), timedelta(hours=1), timedelta(days=400)])
async def test_a_local_clock_that_is_wrong_changes_nothing(wire, session, monotonic, monkeypatch, skew):
    wrong = (datetime.fromtimestamp(wire.NOW, tz=UTC) + skew).timestamp()
    monkeypatch.setattr(time, "time", lambda: wrong)
    await session.call(CHARGE)
    monotonic.seconds += 1760
    await session.call(CHARGE)
    assert len(wire.token_requests) == 1
    monotonic.seconds += 20
    await session.call(CHARGE)
    assert len(wire.token_requests) == 2


async def test_a_token_extended_in_its_last_minute_is_used_to_its_new_end(wire, session, monotonic):
    end = wire.NOW + 1800
    began = monotonic.seconds

    def portone(_request):
        # facts.md 1.5: the same token again, and five minutes more when less than one is left.
        nonlocal end
        now = wire.NOW + int(monotonic.seconds - began)
        if end - now < 60:
            end += 300
        return wire.envelope({"access_token": "the-same", "now": now, "expired_at": end})

    wire.token_answer = portone
    for _ in range(4000):
        await session._tokens.current()
        monotonic.seconds += 1
    # At 1770 s, then every 300 s: a renewal earlier than the last minute would have asked again and again in vain.
    assert len(wire.token_requests) == 1 + 1 + (4000 - 1771) // 300


async def test_one_refresh_on_401_and_the_call_is_sent_again(wire, client):
    grants_in_turn(wire, "old", "new")
    refuses_tokens(wire, "old")
    answer = await client.charge_again(wire.again())
    assert answer.outcome is ChargeOutcome.PAID
    assert [request.headers["Authorization"] for request in wire.requests] == ["Bearer old", "Bearer new"]
    assert wire.requests[0].content == wire.requests[1].content, "the same order number"


async def test_a_401_that_comes_late_takes_the_token_that_others_have_fetched_meanwhile(wire, client):
    grants_in_turn(wire, "old", "new")
    first_came, renewed = asyncio.Event(), asyncio.Event()

    async def answer(request):
        if request.headers["Authorization"] == "Bearer new":
            return wire.envelope(wire.payment())
        if not first_came.is_set():
            first_came.set()
            await renewed.wait()
        return wire.envelope(code=-1, message="Unauthorized", status=401)

    wire.answer = answer
    late = asyncio.create_task(client.charge_again(wire.again()))
    await first_came.wait()
    assert (await client.charge_again(wire.again())).outcome is ChargeOutcome.PAID
    renewed.set()
    assert (await late).outcome is ChargeOutcome.PAID
    assert len(wire.token_requests) == 2


async def test_a_second_401_is_an_error_of_credentials_for_a_look_up(wire, client):
    wire.says(wire.envelope(code=-1, message="Unauthorized", status=401))
    with pytest.raises(PortOneAuthError) as raised:
        await client.find_payment("imps_1")
    assert (raised.value.http_status, raised.value.code, raised.value.message) == (401, -1, "Unauthorized")
    assert (len(wire.requests), len(wire.token_requests)) == (2, 2)


async def test_a_second_401_means_that_a_charge_was_not_executed(wire, client):
    wire.says(wire.envelope(code=-1, message="Unauthorized", status=401))
    answer = await client.charge_again(wire.again())
    assert (answer.outcome, answer.http_status) == (ChargeOutcome.NOT_EXECUTED, 401)
    assert (len(wire.requests), len(wire.token_requests)) == (2, 2)


async def test_nothing_but_401_is_sent_twice(wire, client):
    for status in (200, 400, 403, 404, 408, 425, 429, 500, 502, 503, 504):
        wire.requests.clear()
        wire.says(wire.envelope(code=-1, status=status))
        await client.charge_again(wire.again())
        assert len(wire.requests) == 1, status


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (401, -1, PortOneAuthError),
        (200, 1, PortOneAuthError),
        (400, 1, PortOneAuthError),
        (429, -1, PortOneRateLimitedError),
        (500, -1, PortOneUnavailableError),
        (302, 0, PortOneUnavailableError),
    ],
)
async def test_a_refused_getToken_is_told_apart_from_one_that_failed(wire, client, status, code, error):
    wire.token_answer = lambda _: wire.envelope(code=code, message="why", status=status)
    with pytest.raises(error) as raised:
        await client.find_payment("imps_1")
    assert raised.value.operation == "POST /users/getToken"
    assert raised.value.message == "why"
    answer = await client.charge_again(wire.again())
    assert (answer.outcome, answer.http_status) == (ChargeOutcome.NOT_EXECUTED, status)
    assert wire.requests == []


@pytest.mark.parametrize(
    "response",
    [
        None,
        [],
        {},
        {"access_token": "t"},
        {"access_token": "t", "now": 1, "expired_at": None},
        {"access_token": "t", "now": "soon", "expired_at": 2},
        {"access_token": "", "now": 1, "expired_at": 2},
        {"access_token": "a\r\nb", "now": 1, "expired_at": 2},
        {"access_token": 7, "now": 1, "expired_at": 2},
        {"access_token": "토큰", "now": 1, "expired_at": 2},
    ],
)
async def test_a_grant_that_cannot_be_read_is_no_token(wire, client, response):
    wire.token_answer = lambda _: wire.envelope(response)
    with pytest.raises(PortOneUnavailableError):
        await client.find_payment("imps_1")
    assert (await client.charge_again(wire.again())).outcome is ChargeOutcome.NOT_EXECUTED
    assert wire.requests == []


async def test_a_failed_fetch_is_not_remembered(wire, client):
    answers = iter([wire.envelope(code=-1, status=503), wire.grant()])
    wire.token_answer = lambda _: next(answers)
    wire.says(wire.envelope(wire.payment()))
    assert (await client.charge_again(wire.again())).outcome is ChargeOutcome.NOT_EXECUTED
    assert (await client.charge_again(wire.again())).outcome is ChargeOutcome.PAID


async def test_a_caller_who_gives_up_does_not_take_the_token_from_the_others(wire, client):
    asked, granted = asyncio.Event(), asyncio.Event()

    async def slowly(_request):
        asked.set()
        await granted.wait()
        return wire.grant()

    wire.token_answer = slowly
    wire.says(wire.envelope(wire.payment()))
    first = asyncio.create_task(client.charge_again(wire.again()))
    second = asyncio.create_task(client.charge_again(wire.again()))
    await asked.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    granted.set()
    assert (await second).outcome is ChargeOutcome.PAID
    assert len(wire.token_requests) == 1


async def test_a_token_about_to_end_is_used_rather_than_fetched_in_a_circle(wire, session):
    wire.token_answer = lambda _: wire.grant(lives=5)
    answer = await session.call(CHARGE)
    assert isinstance(answer, Answer)
    assert (len(wire.token_requests), len(wire.requests)) == (1, 1)


async def test_the_servers_clock_is_asked_for_now(wire, client):
    nows = iter([wire.NOW, wire.NOW + 86400])
    wire.token_answer = lambda _: wire.grant(now=next(nows))
    first = await client.server_now()
    assert first == datetime.fromtimestamp(wire.NOW, tz=UTC)
    assert await client.server_now() - first == timedelta(days=1)


async def test_without_an_answer_there_is_no_server_time(wire, client):
    wire.token_answer = lambda _: httpx.Response(502, text="bad gateway")
    with pytest.raises(PortOneUnavailableError):
        await client.server_now()


async def test_closing_ends_a_fetch_that_is_under_way(wire):
    asked = asyncio.Event()

    async def never(_request):
        asked.set()
        await asyncio.Event().wait()

    wire.token_answer = never
    client = wire.client()
    charging = asyncio.create_task(client.charge_again(wire.again()))
    await asked.wait()
    await asyncio.wait_for(client.aclose(), PATIENCE_SECONDS)
    await asyncio.gather(charging, return_exceptions=True)
    assert charging.done()


async def test_the_key_and_secret_go_into_the_body_of_getToken_alone(wire, client):
    await client.charge_again(wire.again())
    (asked,) = wire.token_requests
    assert b"the-rest-api-secret" in asked.content
    assert "Authorization" not in asked.headers
    (charged,) = wire.requests
    assert charged.headers["Authorization"] == "Bearer token-1"
    assert b"the-rest-api" not in charged.content
