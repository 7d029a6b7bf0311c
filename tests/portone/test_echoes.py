"""A PG that echoes the card it was sent, in whatever form and place: nothing of it passes the door."""

import json
import logging
from decimal import Decimal

import httpx
import pytest

from billing.domain.card_text import holds_card_number
from billing.domain.declines import DECLINES, DeclineClass, classify
from billing.portone import echoes
from billing.portone.text import MAX_TEXT, readable, reason_of_refund
from tests.hostile import CARD, FORMS, NUMBER, leaks, needles

PLACES = (
    "message", "fail_reason", "cancel_reason", "pg_tid", "card_name", "bank_name", "pg_provider", "pg_id", "apply_num",
    "receipt_url", "custom_data", "name", "buyer_name", "user_agent", "a key", "header", "status text", "no JSON",
    "a code in words", "card_number",
)  # fmt: skip
_ROW_FIELDS = [place for place in PLACES if "_" in place and place not in ("fail_reason", "cancel_reason")]


def row(made, echo, **more):
    """PortOne's row with the echo in every field that it can do without."""
    fields = dict.fromkeys(_ROW_FIELDS, echo)
    fields |= {"card_issuer_name": echo, "name": echo, "buyer_name": echo, "receipt_url": f"https://pg.test/?t={echo}"}
    return made | fields | {f"a key {echo}": echo, "more": [{"deep": [echo]}]} | more


def refused(wire, echo):
    """What comes with a refusal: the message, a row that failed, headers and the status line."""
    failed = row(wire.payment(status="failed", fail_reason=f"[F113] 거절 {echo}", cancel_reason=echo), echo)
    headers = {"Retry-After": echo if echo.isascii() and echo.isprintable() else "1", "X-Card": NUMBER}
    body = {"code": -1, "message": f"한도초과 {echo}", "response": failed}
    return httpx.Response(
        200,
        content=json.dumps(body).encode(),
        headers=headers,
        extensions={"reason_phrase": echo.encode("ascii", "ignore").replace(b"\n", b"")},
    )


def answers_of(wire, echo):
    """Every answer in which an echo may come back, by name."""
    whole = {"code": 0, "message": echo}
    yield "refused", refused(wire, echo)
    yield "paid", httpx.Response(200, json=whole | {"response": row(wire.payment(), echo)})
    key = row(wire.key(), echo, failed_channels=[{"pg_provider": echo, "message": echo, "type": echo}])
    yield "key", httpx.Response(200, json=whole | {"response": key})
    yield "schedule", httpx.Response(200, json=whole | {"response": [row(wire.schedule(fail_reason=echo), echo)]})
    yield "no JSON", httpx.Response(502, text=f"<html>{echo}</html>")
    yield "a code in words", httpx.Response(200, json={"code": echo, "message": echo, "response": echo})


def told(answer):
    """All that an answer says, also what its repr hides."""
    rows = [getattr(answer, name, None) for name in ("payment", "key")] + list(getattr(answer, "schedules", ()))
    kept = [each for each in rows if each is not None]
    return "\n".join([repr(answer), *(each.model_dump_json() + repr(each.fact()) for each in kept)])


async def everything_told(wire, client, forms):
    """What each call with a card tells, for each form and answer."""
    card = wire.card(**CARD)
    calls = {
        "onetime": lambda: client.charge_onetime(wire.onetime(card=card)),
        "issue": lambda: client.issue_billing_key("u-1", wire.issue(card=card)),
        "schedule": lambda: client.schedule(wire.booking(card=card)),
    }
    said = {}
    for form in forms:
        for kind, response in answers_of(wire, form.echo):
            wire.says(response)
            for name, call in calls.items():
                said[f"{form.name} / {kind} / {name}"] = told(await call())
    return said


async def test_no_form_of_the_card_passes_in_any_place_of_an_answer(wire, client, caplog, record_property):
    caplog.set_level(logging.DEBUG)
    said = await everything_told(wire, client, FORMS)
    found = leaks(said | {"log": caplog.text})
    counted = f"{len(FORMS)} forms, {len(PLACES)} places, {len(said)} answers, {len(needles())} needles"
    record_property("counted", f"hostile PG, answers of the client: {counted}, {len(found)} leaks")
    assert len(FORMS) >= 59
    assert sum(form.own for form in FORMS) >= 10
    assert found == []


async def test_the_search_sees_a_card_that_passes(wire, client, monkeypatch):
    monkeypatch.setattr(echoes.Echoes, "holds", lambda _self, _text: False)
    said = await everything_told(wire, client, FORMS)
    seen = {place.split(" / ")[0] for place, _ in leaks(said)}
    assert len(seen) > len(FORMS) * 0.8, sorted({form.name for form in FORMS} - seen)


@pytest.mark.parametrize("code", [int(NUMBER), 540926, 3107, 731, 203107, 900412, 73, 918, "900412", "0731", 20310])
async def test_a_number_of_the_card_is_no_code_and_still_a_refusal(wire, client, code):
    wire.says(wire.envelope(None, code=code, message="거절"))
    answer = await client.charge_onetime(wire.onetime(card=wire.card(**CARD)))
    assert (answer.outcome, answer.code) == ("declined", -1)


@pytest.mark.parametrize("wait", ["900412", "3107", "73", "203107"])
async def test_a_number_of_the_card_is_no_time_to_wait(wire, client, wait):
    wire.says(httpx.Response(429, headers={"Retry-After": wait}, json={"code": -1, "message": "", "response": None}))
    answer = await client.charge_onetime(wire.onetime(card=wire.card(**CARD)))
    assert answer.retry_after_seconds is None


async def test_a_row_whose_ids_hold_the_card_proves_nothing(wire, client):
    for field in ("imp_uid", "merchant_uid", "status", "currency", "amount"):
        wire.says(wire.envelope(wire.payment(**{field: int(NUMBER) if field == "amount" else NUMBER})))
        answer = await client.charge_onetime(wire.onetime(card=wire.card(**CARD)))
        assert (answer.outcome, answer.payment) == ("unknown", None)


async def test_what_we_said_ourselves_comes_back_even_where_it_looks_like_the_card(wire, client):
    wire.says(wire.envelope(wire.payment(merchant_uid="order-900412", amount=3107, name="73")))
    request = wire.onetime(card=wire.card(**CARD), merchant_uid="order-900412", amount=wire.again().amount)
    answer = await client.charge_onetime(request)
    assert (answer.outcome, answer.payment) == ("unknown", None), "an amount that nobody asked for is no proof"
    wire.says(wire.envelope(wire.payment(merchant_uid="order-900412", card_name="BC카드", pg_tid="nictest04m0101")))
    answer = await client.charge_onetime(request)
    assert (answer.outcome, answer.payment.merchant_uid, answer.payment.amount) == ("paid", "order-900412", 9900)
    assert (answer.payment.card_name, answer.payment.pg_tid) == ("BC카드", "nictest04m0101")


# ---------------------------------------------------------------- without a card in memory


async def test_a_look_up_shows_no_echo_that_a_pg_left_in_its_texts(wire, client):
    said = {}
    for form in FORMS:
        texts = {"fail_reason": form.echo, "card_name": form.echo, "pg_provider": form.echo, "bank_name": form.echo}
        wire.says(wire.envelope(wire.payment(**texts)))
        payment = await client.find_payment("imps_1")
        said[form.name] = payment.model_dump_json() + repr(payment.fact())
    assert leaks(said) == []


@pytest.mark.parametrize("field", ["receipt_url", "pg_tid", "pg_id", "cancel_reason"])
async def test_a_look_up_shows_no_card_number_wherever_it_stands(wire, client, field):
    numbers = [form for form in FORMS if holds_card_number(form.echo)]
    assert len(numbers) > 30
    said = {}
    for form in numbers:
        wire.says(wire.envelope(wire.payment(**{field: f"x/{form.echo}"})))
        said[form.name] = (await client.find_payment("imps_1")).model_dump_json()
    assert leaks(said, numbers) == []


async def test_ids_receipts_and_approval_numbers_come_through_a_look_up(wire, client):
    kept = {
        "imp_uid": "imps_448280090638",
        "merchant_uid": "5409260718635242",
        "customer_uid": "5409260718635242",
        "apply_num": "30012345",
        "buyer_tel": "010-1234-5678",
        "pg_tid": "nictest04m01162011270000001234",
        "pg_id": "2999199999",
        "pg_provider": "html5_inicis",
        "card_name": "KB국민카드",
        "receipt_url": "https://iniweb.inicis.com/apReceipt.jsp?noTid=StdpayCARDINIpayTest20260606123456000001",
    }
    wire.says(wire.envelope(wire.payment(**kept)))
    payment = await client.find_payment("imps_448280090638")
    assert {name: getattr(payment, name) for name in kept} == kept


@pytest.mark.parametrize(
    "text",
    [
        "카드정보 인증에 실패하였습니다. [F113]유효하지않은 카드번호를 입력하셨습니다. (사용자가 입력한 카드번호)",
        "[3021] 유효기간 오류",
        "한도금액 초과 (한도 1,000,000원, 잔액 900원)",
        "비밀번호 3회 오류",
        "할부 12개월은 5만원 이상",
        "카드사 문의 1588-1234, 02-123-4567",
        "승인번호 30012345 취소",
        "imp_448280090638 없음",
        "결제가 실패하였습니다. [코드: V023]",
        "3D Secure 인증 실패",
        "[INVALID_CARD_LOST_OR_STOLEN] 분실 혹은 도난 카드입니다.",
    ],
)
def test_what_a_pg_says_is_kept_to_the_letter(text):
    assert readable(text) == text
    assert readable(text, echoes.Echoes(CARD.values())) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("접수번호 20261130-17 거절", "접수번호 [removed] 거절"),
        ("2031-07", "[removed]"),
        ("order_1 없음", "[removed] 없음"),
        ("비밀번호 73", "비밀번호 [removed]"),
        ("[73]", "[[removed]]"),
    ],
)
def test_digits_that_nobody_knows_are_not_kept(text, left):
    assert readable(text) == left


def test_a_word_of_our_own_request_is_kept():
    assert readable("order_1 없음", echoes.Echoes((), {"order_1"})) == "order_1 없음"


@pytest.mark.parametrize("row", DECLINES, ids=lambda row: row.words or row.code)
def test_a_decline_keeps_its_class_beside_an_echo(row):
    said = f"[{row.code}] {NUMBER}" if row.code else f"{row.words} {NUMBER}"
    pg = {"nice": "nice_v2", "toss": "tosspayments"}.get(row.family)
    for known in (None, echoes.Echoes(CARD.values())):
        kept = readable(said, known)
        assert NUMBER not in kept
        assert classify(pg, kept) == row.decline
        assert readable(kept) == kept, "read once more, as a row is, it stays the same"
        assert classify(pg, readable(said.replace(NUMBER, ""), known)) == row.decline
    assert classify(pg, readable(f"거절 {NUMBER}")) is DeclineClass.SOFT


def test_a_text_has_an_end_however_long_the_pg_speaks():
    assert len(readable("거절 " * 10_000)) <= MAX_TEXT
    assert len(readable(f"{NUMBER} " * 10_000, echoes.Echoes(CARD.values()))) <= MAX_TEXT


def test_a_refund_keeps_its_mark_and_its_reason():
    mark = "5409-2607-1863-5242"
    assert reason_of_refund(f"고객 요청 2026-11 환불 [{mark}]") == f"고객 요청 2026-11 환불 [{mark}]"
    assert reason_of_refund(f"{NUMBER} [fact-imp_1-1]") == "[removed] [fact-imp_1-1]"


def test_an_exact_number_of_the_card_is_found_as_well():
    known = echoes.Echoes(CARD.values())
    assert all(map(known.holds_number, (int(NUMBER), Decimal(NUMBER), float(NUMBER), 900412, 3107, 731, 73, 918)))
    assert not any(map(known.holds_number, (0, 1, -1, 9900, 1_790_000_000, 12)))
