"""What a call that moves money came to: one of four, and only proof leaves `unknown`."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from billing.domain.money import Money
from billing.domain.outcomes import ChargeOutcome, KeyOutcome, ScheduleOutcome
from billing.domain.records import RefundState
from billing.portone import (
    CancelPayment,
    Card,
    ChargeAgain,
    ChargeAnswer,
    ChargeOnetime,
    IssueBillingKey,
    PortOneClient,
    ScheduleItem,
    ScheduleRequest,
)

PAID, DECLINED, NOT_EXECUTED, UNKNOWN = ChargeOutcome
WHEN = datetime(2030, 1, 31, tzinfo=UTC)
CARD = Card.model_validate({"card_number": "5409-4012-3456-7890", "expiry": "2031-12", "birth": "900131"})

PAYMENT = {
    "imp_uid": "imps_000000000001",
    "merchant_uid": "order-1",
    "amount": 9900,
    "cancel_amount": 0,
    "currency": "KRW",
    "status": "paid",
    "sandbox": False,
}
REFUNDED = PAYMENT | {"status": "cancelled", "cancel_amount": 9900}
KEY = {"customer_uid": "customer-1", "pg_provider": "nice"}
ROW = {
    "customer_uid": "customer-1",
    "merchant_uid": "order-1",
    "schedule_status": "scheduled",
    "schedule_at": 1_900_000_000,
    "amount": 9900,
}

Happening = httpx.Response | Exception


def envelope(response: Any = None, *, code: int = 0, message: str | None = None, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "message": message, "response": response})


def wait(retry_after: str) -> httpx.Response:
    return httpx.Response(429, json={"code": -1, "message": "no"}, headers={"Retry-After": retry_after})


TOKEN = envelope({"access_token": "token-1", "now": 1_800_000_000, "expired_at": 1_800_001_800})


@dataclass
class Wire:
    """What happens to every call, and to getToken; what was sent."""

    happens: Happening = field(default_factory=envelope)
    happens_to_token: Happening = TOKEN
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/users/getToken":
            return self._play(self.happens_to_token)
        self.requests.append(request)
        return self._play(self.happens)

    @staticmethod
    def _play(happening: Happening) -> httpx.Response:
        if isinstance(happening, Exception):
            raise happening
        return httpx.Response(happening.status_code, headers=happening.headers, content=in_one_piece(happening.content))


async def in_one_piece(body: bytes) -> AsyncIterator[bytes]:
    """As from a socket: a response made of bytes counts as read already, and the client reads only unread ones."""
    yield body


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def portone(wire: Wire) -> AsyncIterator[PortOneClient]:
    transport = httpx.MockTransport(wire)
    client = PortOneClient(base_url="https://portone.test", imp_key="key", imp_secret="secret", transport=transport)
    yield client
    await client.aclose()


async def again(portone: PortOneClient) -> ChargeAnswer:
    request = ChargeAgain(customer_uid="customer-1", merchant_uid="order-1", amount=Money(9900), name="A month")
    return await portone.charge_again(request)


NEVER_SENT = [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol]
MAYBE_SENT = [
    httpx.ReadTimeout,
    httpx.WriteTimeout,
    httpx.ReadError,
    httpx.WriteError,
    httpx.CloseError,
    httpx.RemoteProtocolError,
    httpx.LocalProtocolError,
    httpx.ProxyError,
    httpx.DecodingError,
    httpx.TooManyRedirects,
    ConnectionResetError,
    OSError,
    RuntimeError,
]


@pytest.mark.parametrize("error", NEVER_SENT)
async def test_a_charge_without_a_connection_is_not_executed(portone, wire, error):
    wire.happens = error("no connection")
    answer = await again(portone)
    assert (answer.outcome, answer.http_status, answer.payment) == (NOT_EXECUTED, None, None)
    assert answer.message == error.__name__


@pytest.mark.parametrize("error", MAYBE_SENT)
async def test_a_charge_whose_answer_was_lost_is_unknown_and_not_sent_again(portone, wire, error):
    wire.happens = error("gone")
    answer = await again(portone)
    assert (answer.outcome, answer.http_status, answer.code) == (UNKNOWN, None, None)
    assert len(wire.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 405, 429])
@pytest.mark.parametrize("code", [0, 1, -1])
async def test_a_request_that_was_turned_away_is_not_executed(portone, wire, status, code):
    wire.happens = envelope(code=code, message="no", status=status)
    answer = await again(portone)
    assert (answer.outcome, answer.http_status, answer.code) == (NOT_EXECUTED, status, code)


@pytest.mark.parametrize(
    "status", [201, 202, 204, 206, 207, 301, 302, 303, 307, 308, 402, 403, 408, 409, 418, 422, 500, 501, 502, 503, 504]
)
@pytest.mark.parametrize("code", [0, -1])
async def test_an_undocumented_status_is_unknown_whatever_the_body_says(portone, wire, status, code):
    wire.happens = envelope(PAYMENT if code == 0 else None, code=code, status=status)
    answer = await again(portone)
    assert (answer.outcome, answer.http_status) == (UNKNOWN, status)
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ('{"code": 0, "response": {"status": "failed", %s}}', DECLINED),
        ('{"code": 0, "response": {"status": "paid", %s}}', PAID),
        ('{"code": "0", "response": {"status": "paid", %s}}', PAID),
        ('{"code": 1, "message": "rule", "response": null}', DECLINED),
        ('{"code": -1, "message": "[F113] card", "response": null}', DECLINED),
        ('{"code": -1, "message": "[F113] card"}', DECLINED),
        ('{"code": 8, "response": {"status": "failed", %s}}', DECLINED),
        ('{"code": 1, "response": {"status": "paid", %s}}', UNKNOWN),
        ('{"code": 0, "response": {"status": "ready", %s}}', UNKNOWN),
        ('{"code": 0, "response": {"status": "cancelled", %s}}', UNKNOWN),
        ('{"code": 0, "response": {"status": "PAID", %s}}', UNKNOWN),
        ('{"code": 0, "response": {"status": "a word of next year", %s}}', UNKNOWN),
        ('{"code": 0, "response": {"status": null, %s}}', UNKNOWN),
        ('{"code": 0, "response": {"status": "paid"}}', UNKNOWN),
        ('{"code": 0, "response": null}', UNKNOWN),
        ('{"code": 0, "response": []}', UNKNOWN),
        ('{"code": 0, "response": "paid"}', UNKNOWN),
        ('{"code": 0}', UNKNOWN),
        ('{"code": null, "response": {"status": "paid", %s}}', UNKNOWN),
        ('{"code": true, "response": {"status": "failed", %s}}', UNKNOWN),
        ('{"code": 0.0, "response": {"status": "paid", %s}}', UNKNOWN),
        ('{"response": {"status": "paid", %s}}', UNKNOWN),
        ('{"code": 0, "response": {"status": "paid", %s', UNKNOWN),
        ('{"code": NaN}', UNKNOWN),
        ("<html><body>502 Bad Gateway</body></html>", UNKNOWN),
        ("[]", UNKNOWN),
        ("null", UNKNOWN),
        ("", UNKNOWN),
        ("\ufeff{}", UNKNOWN),
        ("[" * 100_000, UNKNOWN),
        ('{"code": ' + "9" * 5000 + "}", UNKNOWN),
        ('{"code": 0, "response": {"amount": 1e99999999999999999999}}', UNKNOWN),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
async def test_a_200_is_paid_or_declined_only_when_its_body_proves_it(portone, wire, body, outcome):
    row = '"imp_uid": "imps_1", "merchant_uid": "order-1", "amount": 9900, "currency": "KRW", "cancel_amount": 0'
    wire.happens = httpx.Response(200, text=body.replace("%s", row))
    answer = await again(portone)
    assert (answer.outcome, answer.http_status) == (outcome, 200)


async def test_bytes_that_are_no_text_are_unknown(portone, wire):
    wire.happens = httpx.Response(200, content=b"\xff\xfe\x00\xd8")
    assert (await again(portone)).outcome is UNKNOWN


@pytest.mark.parametrize("status", ["paid", "failed"])
async def test_a_row_of_another_order_proves_nothing_and_is_not_passed_on(portone, wire, status):
    wire.happens = envelope(PAYMENT | {"merchant_uid": "order-2", "status": status})
    answer = await again(portone)
    assert (answer.outcome, answer.payment) == (UNKNOWN, None)


async def test_the_payment_comes_with_the_answer(portone, wire):
    wire.happens = envelope(PAYMENT)
    answer = await again(portone)
    assert answer.payment is not None
    assert answer.payment.imp_uid == "imps_000000000001"


async def test_what_the_gateway_said_comes_with_a_decline(portone, wire):
    said = "카드정보 인증에 실패하였습니다. [F113]유효기간 오류"
    wire.happens = envelope(code=-1, message=said)
    answer = await again(portone)
    assert (answer.outcome, answer.code, answer.message, answer.http_status) == (DECLINED, -1, said, 200)


async def test_a_wait_that_portone_asks_for_is_passed_on(portone, wire):
    wire.happens = wait("7")
    assert (await again(portone)).retry_after_seconds == 7.0


@pytest.mark.parametrize("value", ["soon", "-3", "Wed, 21 Oct 2026 07:28:00 GMT", "1e9", ""])
async def test_a_wait_that_is_no_number_of_seconds_is_left_out(portone, wire, value):
    wire.happens = wait(value)
    assert (await again(portone)).retry_after_seconds is None


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("down"),
        httpx.Response(500, text="oops"),
        httpx.Response(200, text="<html>"),
        envelope(code=-1, message="Unauthorized", status=401),
        envelope({}),
    ],
    ids=repr,
)
async def test_without_a_token_no_money_call_leaves(portone, wire, trouble):
    wire.happens_to_token = trouble
    answer = await again(portone)
    assert answer.outcome is NOT_EXECUTED
    assert (answer.message or "").startswith("no access token: ")
    assert wire.requests == []


async def onetime(portone: PortOneClient) -> Any:
    return await portone.charge_onetime(
        ChargeOnetime(card=CARD, merchant_uid="order-1", amount=Money(9900), name="A month")
    )


async def retry(portone: PortOneClient) -> Any:
    return await portone.retry_schedule("order-1")


async def issue(portone: PortOneClient) -> Any:
    return await portone.issue_billing_key("customer-1", IssueBillingKey(card=CARD))


async def schedule(portone: PortOneClient, *merchant_uids: str) -> Any:
    items = tuple(
        ScheduleItem(merchant_uid=uid, amount=Money(9900), name="A month", schedule_at=WHEN)
        for uid in merchant_uids or ("order-1",)
    )
    return await portone.schedule(ScheduleRequest(customer_uid="customer-1", schedules=items))


async def move(portone: PortOneClient) -> Any:
    return await portone.move_schedule("order-1", WHEN)


async def rebook(portone: PortOneClient) -> Any:
    return await portone.reschedule("order-1", WHEN)


async def refund(portone: PortOneClient) -> Any:
    return await portone.cancel_payment(
        CancelPayment(imp_uid="imps_000000000001", amount=Money(9900), checksum=Money(9900))
    )


FAMILIES: list[tuple[Callable[[PortOneClient], Any], Any, Any]] = [
    (again, PAYMENT, ChargeOutcome),
    (onetime, PAYMENT, ChargeOutcome),
    (retry, PAYMENT, ChargeOutcome),
    (issue, KEY, KeyOutcome),
    (schedule, [ROW], ScheduleOutcome),
    (move, ROW, ScheduleOutcome),
    (rebook, ROW, ScheduleOutcome),
    (refund, REFUNDED, tuple(RefundState)[1:]),
]


@pytest.mark.parametrize(("call", "proof", "outcomes"), FAMILIES, ids=[call.__name__ for call, *_ in FAMILIES])
async def test_every_money_call_is_judged_by_the_same_rules(portone, wire, call, proof, outcomes):
    done, refused, not_executed, unknown, *_ = outcomes
    table = [
        (envelope(proof), done),
        (envelope(code=1, message="no"), refused),
        (envelope(code=-1, message="no"), refused),
        (envelope(code=-1, message="no", status=400), not_executed),
        (envelope(code=-1, message="no", status=404), not_executed),
        (httpx.ConnectError("down"), not_executed),
        (httpx.ReadTimeout("slow"), unknown),
        (envelope(code=-1, status=500), unknown),
        (envelope(proof, status=500), unknown),
        (envelope(proof, code=1), unknown),
        (envelope(None), unknown),
        (httpx.Response(200, text="<html>"), unknown),
    ]
    for happening, expected in table:
        wire.happens = happening
        assert (await call(portone)).outcome is expected, happening


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({}, ScheduleOutcome.REGISTERED),
        ({"schedule_status": "revoked"}, ScheduleOutcome.UNKNOWN),
        ({"schedule_status": "a word of next year"}, ScheduleOutcome.UNKNOWN),
        ({"merchant_uid": "order-2"}, ScheduleOutcome.UNKNOWN),
    ],
)
async def test_a_schedule_is_registered_only_when_its_row_says_so(portone, wire, change, outcome):
    wire.happens = envelope([ROW | change])
    assert (await schedule(portone)).outcome is outcome


async def test_a_schedule_call_that_answers_half_of_its_rows_is_unknown(portone, wire):
    wire.happens = envelope([ROW])
    assert (await schedule(portone, "order-1", "order-2")).outcome is ScheduleOutcome.UNKNOWN


async def test_a_charge_that_is_not_booked_again_is_not_taken_for_booked(portone, wire):
    wire.happens = envelope(ROW | {"schedule_status": "executed", "payment_status": "failed"})
    assert (await rebook(portone)).outcome is ScheduleOutcome.UNKNOWN
    assert (await move(portone)).outcome is ScheduleOutcome.UNKNOWN


async def test_a_key_of_another_customer_proves_nothing(portone, wire):
    wire.happens = envelope(KEY | {"customer_uid": "customer-2"})
    answer = await issue(portone)
    assert (answer.outcome, answer.key) == (KeyOutcome.UNKNOWN, None)


@pytest.mark.parametrize(
    ("cancelled_in_all", "outcome"),
    [(0, RefundState.UNKNOWN), (4000, RefundState.UNKNOWN), (5000, RefundState.REFUNDED)],
)
async def test_a_refund_counts_only_beyond_what_had_been_refunded_before(portone, wire, cancelled_in_all, outcome):
    wire.happens = envelope(PAYMENT | {"status": "cancelled", "cancel_amount": cancelled_in_all})
    request = CancelPayment(imp_uid="imps_000000000001", amount=Money(1000), checksum=Money(5900))
    assert (await portone.cancel_payment(request)).outcome is outcome


async def test_a_refund_of_another_payment_proves_nothing(portone, wire):
    wire.happens = envelope(REFUNDED | {"imp_uid": "imps_000000000002"})
    assert (await refund(portone)).outcome is RefundState.UNKNOWN
