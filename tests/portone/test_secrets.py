"""Card data, keys and tokens show up in the request that needs them and nowhere else."""

import logging
import pickle
import traceback

import httpx
import pytest
from pydantic import ValidationError

from billing.portone import PortOneError
from billing.portone.echoes import Echoes
from billing.portone.text import UNTOLD, readable

SECRETS = ("5409-2600-1234-5678", "5409260012345678", "2031-07", "900412", "the-rest-api-secret", "token-1")


def assert_silent(text):
    for secret in (*SECRETS, "918"):
        assert secret not in text, secret


def test_a_card_shows_nothing(wire):
    card = wire.card()
    for text in (repr(card), str(card), f"{card}", repr(card.model_dump()), card.model_dump_json()):
        assert_silent(text)
        assert "'73'" not in text


def test_requests_that_carry_a_card_show_nothing_of_it(wire):
    for request in (wire.onetime(), wire.issue(), wire.booking(card=wire.card())):
        assert_silent(repr(request))
        assert_silent(request.model_dump_json())


def test_a_card_that_cannot_be_built_is_not_echoed(wire):
    for changed in (
        {"card_number": ["5409260012345678"]},
        {"pin": "5409260012345678"},
        {"expiry": ""},
        {"birth": 900412},
    ):
        with pytest.raises(ValidationError) as raised:
            wire.card(**changed)
        assert_silent(str(raised.value))
    with pytest.raises(ValidationError) as raised:
        wire.onetime(card={"card_number": "5409260012345678", "expiry": 7})
    assert_silent(str(raised.value))


async def test_the_card_reaches_portone(wire, client):
    await client.charge_onetime(wire.onetime())
    body = wire.body()
    assert {name: body[name] for name in ("card_number", "expiry", "birth", "pwd_2digit", "cvc")} == {
        "card_number": "5409-2600-1234-5678",
        "expiry": "2031-07",
        "birth": "900412",
        "pwd_2digit": "73",
        "cvc": "918",
    }


async def test_a_client_shows_neither_key_nor_secret(wire, client):
    await client.charge_again(wire.again())
    for shown in (client, client._session, client._session._tokens._grant, client._session._imp_secret):
        assert_silent(repr(shown))
        assert "the-rest-api-key" not in repr(shown)


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ReadTimeout("slow"),
        httpx.Response(500, text="5409260012345678 900412"),
        httpx.Response(401, json={"code": -1, "message": "5409-2600-1234-5678 2031-07 900412", "response": None}),
        httpx.Response(200, json={"code": -1, "message": "5409260012345678 900412 2031-07", "response": None}),
        httpx.Response(
            200, json={"code": 0, "message": "5409 2600 1234 5678", "response": {"card": "5409260012345678"}}
        ),
        httpx.Response(200, json={"code": 0, "message": None, "response": {"status": "5409260012345678"}}),
    ],
    ids=lambda value: value.text if isinstance(value, httpx.Response) else repr(value),
)
async def test_whatever_comes_back_no_answer_tells_what_was_sent(wire, client, caplog, trouble):
    caplog.set_level(logging.DEBUG)
    if isinstance(trouble, Exception):
        wire.fails(trouble)
    else:
        wire.says(trouble)
    answers = [
        await client.charge_onetime(wire.onetime()),
        await client.issue_billing_key("u-1", wire.issue()),
        await client.schedule(wire.booking(card=wire.card())),
    ]
    for answer in answers:
        assert_silent(repr(answer))
    assert_silent(caplog.text)


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ReadTimeout("http://portone.test/payments/imps_secret_uid"),
        httpx.Response(500, text="imps_secret_uid"),
        httpx.Response(200, json={"code": 0, "message": None, "response": {"imp_uid": "imps_secret_uid"}}),
        httpx.Response(401, json={"code": -1, "message": "Unauthorized", "response": None}),
    ],
    ids=repr,
)
async def test_an_error_tells_neither_url_nor_row_nor_request(wire, client, trouble):
    if isinstance(trouble, Exception):
        wire.fails(trouble)
    else:
        wire.says(trouble)
    with pytest.raises(PortOneError) as raised:
        await client.find_payment("imps_secret_uid")
    told = "".join(traceback.format_exception(raised.value))
    assert "imps_secret_uid" not in str(raised.value)
    # The traceback quotes source lines of this test, which name the uid; ours must not.
    assert "httpx." not in told.replace("httpx.Mock", "")
    error = raised.value
    while error is not None:
        assert not hasattr(error, "request"), "an httpx error carries the request"
        error = error.__cause__ or error.__context__


async def test_an_error_survives_a_journey_between_processes(wire, client):
    wire.says(httpx.Response(503, json={"code": -1, "message": "점검 중", "response": None}))
    with pytest.raises(PortOneError) as raised:
        await client.find_payment("imps_1")
    assert str(raised.value) == "GET /payments/{imp_uid}: HTTP 503, code -1, 점검 중"
    assert raised.value.args == ("GET /payments/{imp_uid}", 503, -1, "점검 중")
    assert pickle.loads(pickle.dumps(raised.value.args)) == raised.value.args  # noqa: S301


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("카드 5409260012345678 거절", "카드 [removed] 거절"),
        ("5409-2600-1234-5678", "[removed]"),
        ("5409 2600 1234 5678.", "[removed]"),
        ("378282246310005", f"({UNTOLD})"),
        ("imp_448280090638", "imp_448280090638"),
        ("9,900 KRW [F112]", "9,900 KRW [F112]"),
        ("a\nb\x00c\ud800d", "a b c d"),
        ("  x ", "x"),
    ],
)
def test_a_message_is_shown_without_what_may_be_a_card(text, left):
    assert readable(text) == left


def test_a_message_has_an_end():
    assert len(readable("x" * 10_000)) == 200


def test_a_secret_is_taken_out_of_a_message():
    assert readable("생년월일 900412 오류", Echoes(("900412", "73"))) == f"({UNTOLD})"
    assert readable("코드 73", Echoes(("73",))) == f"({UNTOLD})"
    assert readable("코드 4", Echoes(("73",))) == "코드 4"
