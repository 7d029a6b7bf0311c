"""The envelope, the literal messages of facts.md 1.6, and both encodings of a body."""

from urllib.parse import urlencode

import pytest

UNKNOWN_PAYMENT = "존재하지 않는 결제정보입니다."

# method, path, body, HTTP status, code, message: the rows of facts.md 1.6 that need nothing set up.
REFUSALS = [
    ("GET", "/payments/imps_000000000000", None, 404, -1, UNKNOWN_PAYMENT),
    ("GET", "/payments/find/nobody", None, 404, -1, UNKNOWN_PAYMENT),
    ("GET", "/payments/findAll/nobody", None, 404, -1, UNKNOWN_PAYMENT),
    ("GET", "/payments?imp_uid[]=imps_000000000000", None, 404, -1, UNKNOWN_PAYMENT),
    ("GET", "/payments/status/odd", None, 400, 1, "지원되지 않는 상태값입니다."),
    ("GET", "/payments/prepare/nobody", None, 404, -1, "사전등록된 결제정보가 존재하지 않습니다."),
    ("POST", "/payments/cancel", {"imp_uid": "imps_000000000000"}, 200, 1, "취소할 결제건이 존재하지 않습니다."),
    ("POST", "/payments/cancel", {"merchant_uid": "nobody"}, 200, 1, "취소할 결제건이 존재하지 않습니다."),
    ("POST", "/payments/cancel", {}, 200, 1, "imp_uid 또는 merchant_uid를 지정해주셔야합니다."),
    (
        "POST",
        "/subscribe/payments/again",
        {"customer_uid": "nobody", "merchant_uid": "m1", "amount": 100, "name": "n"},
        200,
        1,
        "등록되지 않은 구매자입니다.",
    ),
    (
        "POST",
        "/subscribe/payments/schedule",
        {"customer_uid": "nobody", "schedules": [{"merchant_uid": "m", "schedule_at": 4000000000, "amount": 1}]},
        200,
        1,
        "등록된 고객정보가 없습니다.",
    ),
    (
        "POST",
        "/subscribe/payments/unschedule",
        {"merchant_uid": "nobody"},
        200,
        1,
        "취소할 예약결제 기록이 존재하지 않습니다.",
    ),
    (
        "GET",
        "/subscribe/customers/nobody",
        None,
        404,
        1,
        "요청하신 customer_uid(nobody)로 등록된 정보를 찾을 수 없습니다.",
    ),
    (
        "DELETE",
        "/subscribe/customers/nobody",
        None,
        404,
        1,
        "요청하신 customer_uid(nobody)로 등록된 정보를 찾을 수 없습니다.",
    ),
]


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: f"{row[0]} {row[1]}")
async def test_refusals_carry_the_observed_status_code_and_words(merchant, row):
    method, path, body, status, code, message = row
    answer = await merchant.call(method, path, body)
    assert answer.status_code == status
    assert answer.json() == {"code": code, "message": message, "response": None}
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/subscribe/payments/schedule/nobody"),
        ("PUT", "/subscribe/payments/schedule/nobody"),
        ("POST", "/subscribe/payments/schedule/nobody/reschedule"),
        ("POST", "/subscribe/payments/schedule/nobody/retry"),
        ("GET", "/subscribe/customers/nobody/payments"),
        ("GET", "/subscribe/customers?customer_uid[]=nobody"),
        ("PUT", "/payments/prepare"),
        ("GET", "/payments/imps_000000000000/balance"),
        ("GET", "/no/such/path"),
    ],
)
async def test_what_does_not_exist_is_404_in_the_envelope(merchant, method, path):
    body = {"schedule_at": 4000000000, "merchant_uid": "nobody", "amount": 100}
    answer = await merchant.call(method, path, None if method == "GET" else body)
    assert answer.status_code == 404
    assert answer.json()["code"] != 0
    assert answer.json()["response"] is None


async def test_an_unknown_key_can_be_told_as_observed_with_200(start):
    merchant = await start(unknown_customer="200")
    for method in ("GET", "DELETE"):
        answer = await merchant.call(method, "/subscribe/customers/nobody")
        assert (answer.status_code, answer.json()["code"]) == (200, 1)


@pytest.mark.parametrize(
    "body",
    [b"{", b"[1]", b'"text"', b'{"amount": NaN, "merchant_uid": "m"}', b'{"a": "\\ud800"}', b"\xff\xfe"],
)
async def test_a_body_that_cannot_be_read_is_refused_in_the_envelope(merchant, body):
    headers = {"Authorization": await merchant.token(), "Content-Type": "application/json"}
    answer = await merchant.http.post("/subscribe/payments/again", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (200, 1)


@pytest.mark.parametrize("amount", [None, True, "ten", 0, -1, 9.5, float("1e400")])
async def test_an_amount_that_is_none_charges_nothing(merchant, amount):
    await merchant.issue()
    body = {"customer_uid": "kim", "merchant_uid": "m1", "name": "n"}
    text = {} if amount is None else {"amount": str(amount)} if amount == float("inf") else {"amount": amount}
    answer = await merchant.call("POST", "/subscribe/payments/again", body | text)
    assert answer.json()["code"] == 1
    assert await merchant.charges() == []


async def test_a_form_with_brackets_does_what_json_does(merchant):
    await merchant.issue()
    at = await merchant.now() + 3600
    items = [
        {"merchant_uid": f"m{n}", "schedule_at": at + n, "amount": 9900, "name": "Plan", "extra": {"naverUseCfm": "x"}}
        for n in range(2)
    ]
    as_json = await merchant.ok("POST", "/subscribe/payments/schedule", {"customer_uid": "kim", "schedules": items})
    await merchant.ok("POST", "/subscribe/payments/unschedule", {"customer_uid": "kim"})
    pairs = [("customer_uid", "kim")]
    for place, item in enumerate(items):
        pairs += [(f"schedules[{place}][{name}]", str(value)) for name, value in item.items() if name != "extra"]
        pairs += [(f"schedules[{place}][extra][naverUseCfm]", "x")]
    pairs = [(name, value.replace("m", "f", 1) if name.endswith("[merchant_uid]") else value) for name, value in pairs]
    headers = {"Authorization": await merchant.token(), "Content-Type": "application/x-www-form-urlencoded"}
    answer = await merchant.http.post("/subscribe/payments/schedule", content=urlencode(pairs), headers=headers)
    as_form = answer.json()["response"]
    renamed = [row | {"merchant_uid": row["merchant_uid"].replace("f", "m")} for row in as_form]
    assert renamed == as_json
    revoked = await merchant.http.post(
        "/subscribe/payments/unschedule", content="merchant_uid[]=f0&merchant_uid[]=f1", headers=headers
    )
    assert [row["schedule_status"] for row in revoked.json()["response"]] == ["revoked", "revoked"]


async def test_a_failure_inside_is_a_500_in_the_envelope_and_undoes_the_change(merchant, monkeypatch):
    await merchant.issue()
    account = merchant.app.state.account
    monkeypatch.setattr(account.webhooks, "queue", lambda *_args, **_options: 1 / 0)
    answer = await merchant.again("m1")
    assert (answer.status_code, answer.json()["response"]) == (500, None)
    monkeypatch.undo()
    assert await merchant.charges() == []
    assert (await merchant.again("m1")).json()["code"] == 0
