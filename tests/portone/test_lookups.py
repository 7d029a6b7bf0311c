"""Look-ups: rows, "not there" in PortOne's own words, or one error that says what to do."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import httpx
import pytest

from billing.domain.money import Money
from billing.portone import (
    PortOneAuthError,
    PortOneError,
    PortOneRateLimitedError,
    PortOneRefusedError,
    PortOneUnavailableError,
)

START = datetime(2030, 1, 1, tzinfo=UTC)
END = START + timedelta(days=30)
UNKNOWN_PAYMENT = "존재하지 않는 결제정보입니다."


def query_of(wire, number=-1):
    return parse_qsl(wire.requests[number].url.query.decode())


async def test_an_unknown_payment_is_none(wire, client):
    wire.says(wire.envelope(code=-1, message=UNKNOWN_PAYMENT, status=404))
    assert await client.find_payment("imps_1") is None
    assert await client.find_payment_by_merchant_uid("order_1") is None
    assert await client.find_all_payments("order_1") == []
    assert await client.list_payments(imp_uids=["imps_1"]) == []
    assert await client.find_schedule("order_1") is None
    assert await client.find_prepared("order_1") is None
    assert (await client.list_billing_key_payments("u-1")).items == ()


@pytest.mark.parametrize(("status", "code"), [(404, -1), (404, 1), (200, 1)])
async def test_an_unknown_billing_key_is_none_in_both_of_portones_ways(wire, client, status, code):
    wire.says(wire.envelope(code=code, message="등록된 정보를 찾을 수 없습니다.", status=status))
    assert await client.find_billing_key("u-1") is None
    assert await client.delete_billing_key("u-1") is None


async def test_an_account_without_a_billing_channel_does_not_prove_that_a_key_is_absent(wire, client):
    wire.says(wire.envelope(code=1, message="비인증결제모듈 사용정보를 찾을 수 없습니다."))
    with pytest.raises(PortOneRefusedError):
        await client.find_billing_key("u-1")


async def test_nothing_to_revoke_is_an_empty_list(wire, client):
    wire.says(wire.envelope(code=1, message="취소할 예약결제 기록이 존재하지 않습니다."))
    assert await client.unschedule("u-1", ["order_1"]) == []


@pytest.mark.parametrize(
    "page",
    [
        httpx.Response(404, text="<html>Not Found</html>"),
        httpx.Response(404, json={"statusCode": 404, "message": "Not Found"}),
        httpx.Response(404, json={"code": 0, "message": None, "response": None}),
        httpx.Response(404),
    ],
    ids=["html", "another envelope", "code 0", "empty"],
)
async def test_a_404_of_something_else_than_portone_proves_no_absence(wire, client, page):
    wire.says(page)
    for look in (client.find_payment("imps_1"), client.find_all_payments("order_1"), client.find_schedule("order_1")):
        with pytest.raises(PortOneUnavailableError):
            await look


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(401, json={"code": -1, "message": "Unauthorized", "response": None}), PortOneAuthError),
        (httpx.Response(429, json={"code": -1, "message": "slow", "response": None}), PortOneRateLimitedError),
        (httpx.Response(429, text="slow"), PortOneRateLimitedError),
        (httpx.Response(200, json={"code": 1, "message": "no", "response": None}), PortOneRefusedError),
        (httpx.Response(200, json={"code": -1, "message": "no", "response": None}), PortOneRefusedError),
        (httpx.Response(400, json={"code": 1, "message": "no", "response": None}), PortOneRefusedError),
        (httpx.Response(405, json={"code": 1, "message": "no", "response": None}), PortOneRefusedError),
        (httpx.Response(400, text="<html>"), PortOneUnavailableError),
        (httpx.Response(403, text="<html>"), PortOneUnavailableError),
        (httpx.Response(403, json={"code": -1, "message": "no", "response": None}), PortOneUnavailableError),
        (httpx.Response(500, json={"code": -1, "message": "no", "response": None}), PortOneUnavailableError),
        (httpx.Response(503, text="<html>"), PortOneUnavailableError),
        (httpx.Response(302, headers={"Location": "http://elsewhere.test"}), PortOneUnavailableError),
        (httpx.Response(200, text="<html>"), PortOneUnavailableError),
        (httpx.Response(200, json={"code": 0, "message": None, "response": None}), PortOneUnavailableError),
        (httpx.Response(200, json={"code": 0, "message": None, "response": []}), PortOneUnavailableError),
        (httpx.Response(200, json={"code": 0, "message": None, "response": {"imp_uid": "x"}}), PortOneUnavailableError),
        (httpx.Response(200, text='{"code": 0, "response": {"amount": NaN}}'), PortOneUnavailableError),
    ],
    ids=lambda value: f"{value.status_code} {value.text[:40]}" if isinstance(value, httpx.Response) else None,
)
async def test_what_cannot_be_used_is_one_error_of_the_family(wire, client, answer, error):
    wire.says(answer)
    with pytest.raises(PortOneError) as raised:
        await client.find_payment("imps_1")
    assert type(raised.value) is error
    assert raised.value.http_status == answer.status_code
    assert raised.value.operation == "GET /payments/{imp_uid}"
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None, "the context of an error would carry the row"


async def test_the_wait_that_portone_asks_for_is_in_the_error(wire, client):
    wire.says(httpx.Response(429, headers={"Retry-After": "7"}, text="slow"))
    with pytest.raises(PortOneRateLimitedError) as raised:
        await client.find_payment("imps_1")
    assert raised.value.retry_after_seconds == 7.0


async def test_some_of_many_is_an_answer(wire, client):
    wire.says(wire.envelope([wire.payment()], status=207))
    (payment,) = await client.list_payments(imp_uids=["imps_123456789012", "imps_2"], merchant_uids=["order_9"])
    assert payment.imp_uid == "imps_123456789012"
    assert query_of(wire) == [
        ("imp_uid[]", "imps_123456789012"),
        ("imp_uid[]", "imps_2"),
        ("merchant_uid[]", "order_9"),
    ]


async def test_more_than_a_hundred_ids_are_looked_up_in_turn(wire, client):
    wire.says(wire.envelope([wire.payment()]))
    assert len(await client.list_payments(merchant_uids=[f"order_{number}" for number in range(250)])) == 3
    assert [len(query_of(wire, number)) for number in range(3)] == [100, 100, 50]


async def test_no_ids_ask_for_nothing(wire, client):
    assert await client.list_payments() == []
    assert await client.list_billing_keys([]) == []
    assert wire.token_requests == []


async def test_test_payments_are_looked_up_only_when_asked_for(wire):
    wire.says(wire.envelope(wire.payment()))
    async with wire.client() as plain, wire.client(include_sandbox=True) as testing:
        await plain.find_payment("imps_1")
        assert query_of(wire) == []
        await testing.find_payment("imps_1")
        assert query_of(wire) == [("include_sandbox", "true")]


async def test_all_pages_of_an_order_are_read_oldest_first(wire, client):
    pages = {
        "1": wire.paged(wire.payment(imp_uid="imps_1", status="failed"), total=3, following=2),
        "2": wire.paged(wire.payment(imp_uid="imps_2", status="failed"), total=3, previous=1, following=3),
        "3": wire.paged(wire.payment(imp_uid="imps_3"), total=3, previous=2),
    }
    wire.answer = lambda request: wire.envelope(pages[request.url.params["page"]])
    found = await client.find_all_payments("order_1")
    assert [payment.imp_uid for payment in found] == ["imps_1", "imps_2", "imps_3"]
    assert {request.url.params["sorting"] for request in wire.requests} == {"started"}
    assert wire.requests[0].url.path == "/payments/findAll/order_1"


async def test_an_order_of_which_a_row_is_missing_is_not_taken_as_whole(wire, client):
    wire.says(wire.envelope(wire.paged(wire.payment(), total=2)))
    with pytest.raises(PortOneUnavailableError):
        await client.find_all_payments("order_1")
    wire.says(wire.envelope(wire.paged(total=1)))
    with pytest.raises(PortOneUnavailableError):
        await client.find_all_payments("order_1")


async def test_pages_that_run_in_a_circle_end(wire, client):
    wire.says(wire.envelope(wire.paged(wire.payment(), total=1, following=1)))
    with pytest.raises(PortOneUnavailableError):
        await client.find_all_payments("order_1")
    wire.answer = lambda request: wire.envelope(
        wire.paged(wire.payment(), total=1, following=int(request.url.params["page"]) + 1)
    )
    with pytest.raises(PortOneUnavailableError):
        await client.find_all_payments("order_1")
    assert len(wire.requests) <= 101


async def test_a_failing_page_fails_the_whole_list(wire, client):
    answers = iter([wire.envelope(wire.paged(wire.payment(), total=2, following=2)), wire.envelope(code=1, status=500)])
    wire.answer = lambda _: next(answers)
    with pytest.raises(PortOneUnavailableError):
        await client.find_all_payments("order_1")


async def test_a_list_may_be_an_array_or_a_page(wire, client):
    for response in ([wire.schedule()], wire.paged(wire.schedule())):
        wire.says(wire.envelope(response))
        page = await client.list_schedules(start=START, end=END)
        assert ([row.merchant_uid for row in page.items], page.total, page.next) == (["order_1"], 1, 0)


@pytest.mark.parametrize(
    "nothing", [[], {"total": 0, "previous": 0, "next": 0, "list": []}, {"total": 0, "list": None}, {"total": 0}]
)
async def test_an_empty_list_has_no_rows(wire, client, nothing):
    wire.says(wire.envelope(nothing))
    page = await client.list_customer_schedules("u-1", start=START, end=END)
    assert (page.items, page.total, page.previous, page.next) == ((), 0, 0, 0)


@pytest.mark.parametrize("nothing", [None, {}, {"total": 3}, {"total": 3, "list": None}, "x", 7])
async def test_a_list_that_is_none_is_not_taken_for_empty(wire, client, nothing):
    wire.says(wire.envelope(nothing))
    with pytest.raises(PortOneUnavailableError):
        await client.list_customer_schedules("u-1", start=START, end=END)
    with pytest.raises(PortOneUnavailableError):
        await client.find_all_payments("order_1")


async def test_lists_by_range_and_by_customer_use_the_names_portone_gave_them(wire, client):
    wire.says(wire.envelope([]))
    start, end = str(int(START.timestamp())), str(int(END.timestamp()))
    await client.list_schedules(start=START, end=END, status="scheduled", page=2, limit=50, oldest_first=True)
    assert sorted(query_of(wire)) == [
        ("limit", "50"),
        ("page", "2"),
        ("schedule_from", start),
        ("schedule_status", "scheduled"),
        ("schedule_to", end),
        ("sorting", "scheduled"),
    ]
    for look, path in (
        (client.list_billing_key_schedules, "/subscribe/customers/u-1/schedules"),
        (client.list_customer_schedules, "/subscribe/payments/schedule/customers/u-1"),
    ):
        await look("u-1", start=START, end=END, status="revoked", page=3)
        assert wire.requests[-1].url.path == path
        expected = [("from", start), ("page", "3"), ("schedule-status", "revoked"), ("to", end)]
        assert sorted(query_of(wire)) == expected
    wire.says(wire.envelope(wire.paged()))
    await client.list_payments_by_status("all", end=END)
    assert wire.requests[-1].url.path == "/payments/status/all"
    assert sorted(query_of(wire)) == [("limit", "20"), ("page", "1"), ("to", end)]


async def test_a_deletion_says_why_and_for_whom(wire, client):
    wire.says(wire.envelope(wire.key()))
    deleted = await client.delete_billing_key("u-1", reason="해지", requester="admin")
    assert deleted is not None
    assert wire.requests[-1].method == "DELETE"
    assert query_of(wire) == [("reason", "해지"), ("extra[requester]", "admin")]


async def test_a_deletion_without_an_answer_may_be_repeated(wire, client):
    wire.fails(httpx.ReadTimeout("slow"))
    with pytest.raises(PortOneUnavailableError):
        await client.delete_billing_key("u-1")
    with pytest.raises(PortOneUnavailableError):
        await client.unschedule("u-1", ["order_1"])


async def test_an_amount_registered_twice_is_refused(wire, client):
    wire.says(wire.envelope(code=1, message="결제정보 사전등록에 실패하였습니다(이미 등록된 merchant_uid입니다)."))
    with pytest.raises(PortOneRefusedError) as raised:
        await client.prepare("order_1", Money(9900))
    assert raised.value.code == 1


async def test_an_amount_is_registered_and_changed_with_its_currency(wire, client):
    wire.says(wire.envelope({"merchant_uid": "order_1", "amount": 9.99, "currency": "USD"}))
    await client.prepare("order_1", Money(999, "USD"))
    assert (wire.requests[-1].method, wire.body()) == (
        "POST",
        {"merchant_uid": "order_1", "amount": 9.99, "currency": "USD"},
    )
    await client.change_prepared("order_1", Money(999, "USD"))
    assert wire.requests[-1].method == "PUT"
