"""The emulator against PortOne's own V1 schema: every documented parameter, every response, every required field.

For each operation in scope one request for each documented parameter, as JSON and as a form with brackets, or in the
query. Each answer has to be a success of the documented shape, and has to echo what PortOne echoes.
"""

from typing import Any
from urllib.parse import urlencode

import jsonschema
import pytest

from billing.emulator.app import SERVED
from tests.emulator.contract_cases import CARD, CASES, SCHEDULE, Call, schedules_case
from tests.emulator.portone_schema import SCHEMA, SUPER, load_schema, problems, response_schema

BUYER = {
    "buyer_name": "홍길동",
    "buyer_email": "gildong@example.com",
    "buyer_tel": "010-1234-5678",
    "buyer_addr": "서울",
    "buyer_postcode": "04524",
}
CUSTOMER = {name.replace("buyer", "customer"): value for name, value in BUYER.items()}

SAMPLES: dict[str, Any] = {
    **CARD,
    **BUYER,
    **CUSTOMER,
    "amount": 1000,
    "barcode": "1",
    "birth": "900131",
    "browser_ip": "192.0.2.1",
    "business_registration_number": "1234567890",
    "bypass": '{"a": 1}',
    "card_quota": 0,
    "carrier": "KT",
    "cash_receipt_type": "anonymous",
    "channelGroupId": "channel-group-nice-kcp",
    "channel_group_id": "channel-group-nice-kcp",
    "channel_key": "channel-key-nice",
    "checking_amount": 100,
    "checksum": 9900,
    "company": "gudok",
    "company_name": "gudok",
    "company_tel": "02-0000-0000",
    "corp_reg_no": "1234567890",
    "currency": "KRW",
    "custom_data": '{"order": 1}',
    "customer_id": "person-1",
    "customer_uid": "kim",
    "cvc": "123",
    "enable_webhook": True,
    "escrow_password": "1234",
    "extra": {"requester": "customer", "naverUseCfm": "20300101"},
    "extra[requester]": "admin",
    "extra_charge": 2500,
    "fixed_unlimited_vbank": True,
    "gender_digit": "2",
    "identifier": "010-1234-5678",
    "identifier_type": "phone",
    "include_sandbox": True,
    "interest_free_by_merchant": True,
    "is_mvno": True,
    "limit": 5,
    "memo": "메모",
    "logis": {"company": "EPOST", "invoice": "2", "sent_at": 1900000000},
    "name": "한 달",
    "notice_url": "http://127.0.0.1:9/hook",
    "otp": "123456",
    "page": 1,
    "pay_method": "vbank",
    "pg": "nice.iamport01m",
    "pg_api_key": "key",
    "phone": "01012345678",
    "product_count": 2,
    "products": [{"id": "p1", "name": "한 달", "amount": 9900}],
    "product_type": "digital",
    "promotion_id": "promotion-id-1",
    "pwd_2digit": "12",
    "reason": "변심",
    "refund_account": "1234567890",
    "refund_bank": "004",
    "refund_holder": "홍길동",
    "refund_tel": "01012345678",
    "receiver": {"name": "홍길동"},
    "requester": "customer",
    "retain_promotion": True,
    "schedule-status": "scheduled",
    "send_email": False,
    "sender": {"name": "김철수"},
    "schedule_status": "scheduled",
    "secure_3d_charge_id": "3d-1",
    "secure_3d_token": "3d-2",
    "sorting": "-paid",
    "tax_free": 0,
    "type": "company",
    "use_card_point": True,
    "vat": 90,
    "vat_amount": 90,
    "vbank_code": "004",
    "vbank_holder": "홍길동",
    "vbank_key": "1234567890123",
    "vbank_num": "12345678901234",
    "verification_method": "SMS",
}
"""A value that PortOne takes, by parameter; what depends on the operation is in its case."""

# What an answer tells again under the name it was sent by.
ECHOED = (
    *BUYER, *CUSTOMER, "merchant_uid", "customer_uid", "customer_id", "amount", "currency", "name", "custom_data",
    "card_quota", "schedule_at", "vbank_code", "vbank_num", "vbank_holder", "promotion_id", "type",
)  # fmt: skip

NOT_ECHOED = {
    # What is refunded is no amount of the payment, and an imp_uid wins over a merchant_uid.
    ("/payments/cancel", "amount"),
    ("/payments/cancel", "merchant_uid"),
    ("/subscribe/payments/unschedule", "merchant_uid"),
    # It is for the key that a schedule issues; this one has a key already.
    ("/subscribe/payments/schedule", "customer_id"),
}


needs_schema = pytest.mark.skipif(not SCHEMA.is_file(), reason=f"PortOne's V1 schema is not here: {SCHEMA}")


@pytest.fixture(scope="module")
def swagger() -> dict[str, Any]:
    return load_schema()


@pytest.fixture
async def shop(start):
    merchant = await start()
    await merchant.issue()
    await merchant.issue("lee", "0002")
    return merchant


def test_every_operation_that_is_served_has_its_case(swagger):
    documented = {(method.upper(), path) for path, methods in swagger["paths"].items() for method in methods}
    assert set(CASES) == documented & SERVED


def flat(value: Any, name: str) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for key, part in value.items() for pair in flat(part, f"{name}[{key}]")]
    if isinstance(value, list):
        return [pair for place, part in enumerate(value) for pair in flat(part, f"{name}[{place}]")]
    return [(name, str(value).lower() if isinstance(value, bool) else str(value))]


def sample(path: str, call: Call, name: str, number: str) -> Any:
    own = {
        ("/payments", "merchant_uid[]"): f"p{number}",
        ("/payments/cancel", "merchant_uid"): "ignored beside an imp_uid",
        ("/subscribe/payments/unschedule", "merchant_uid"): [f"u{number}", "nobody's"],
        ("/subscribe/payments/schedule", "sorting"): "scheduled",
        ("/certifications/otp/request", "merchant_uid"): "m1",
        ("/vbanks/{imp_uid}", "vbank_due"): 4000000000,
    }
    return own.get((path, name), call.needs.get(name, SAMPLES.get(name)))


async def send(shop: Any, method: str, call: Call, more: dict[str, Any], *, form: bool) -> Any:
    said = {name: value for name, value in (call.needs | more).items() if value is not None}
    headers = {"Authorization": await shop.token()}
    if method in ("GET", "DELETE"):
        pairs = [pair for name, value in said.items() for pair in flat(value, name)]
        return await shop.http.request(method, call.path, params=pairs, headers=headers)
    if not form:
        return await shop.http.request(method, call.path, json=said, headers=headers)
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    text = urlencode([pair for name, value in said.items() for pair in flat(value, name)])
    return await shop.http.request(method, call.path, content=text, headers=headers)


def check(swagger: dict[str, Any], method: str, path: str, answer: Any, said: dict[str, Any]) -> list[str]:
    told = answer.json()
    if (answer.status_code, told["code"], told["message"]) != (200, 0, None):
        return [f"{answer.status_code} {told['code']} {told['message']}"]
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"
    response = told["response"]
    key = SUPER if isinstance(response, dict) and "channelGroupId" in response else "CustomerResponse"
    validator = jsonschema.Draft4Validator(response_schema(swagger, method, path, key=key))
    found = problems(validator, response)
    row = response[0] if isinstance(response, list) and response else response
    if method != "GET" and isinstance(row, dict):
        found += [
            f"{name} is {row[name]!r}, not {said[name]!r}"
            for name in ECHOED
            if (path, name) not in NOT_ECHOED and name in said and name in row and str(row[name]) != str(said[name])
        ]
    return found


@needs_schema
@pytest.mark.parametrize("operation", sorted(CASES), ids=" ".join)
async def test_every_documented_parameter_is_accepted_and_every_answer_is_as_documented(
    shop, swagger, operation, record_property
):
    method, path = operation
    documented = swagger["paths"][path][method.lower()].get("parameters", [])
    sent = [one for one in documented if one["in"] != "path"]
    wrong, number = [], 0
    for parameter in [None, *sent]:
        for form in (False, True) if method in ("POST", "PUT") else (False,):
            number += 1
            call = await CASES[operation](shop, f"{number:03d}")
            required = {one["name"] for one in sent if one.get("required")}
            assert required <= set(call.needs) | {"channel_key"}, required - set(call.needs)
            more = (
                {} if parameter is None else {parameter["name"]: sample(path, call, parameter["name"], f"{number:03d}")}
            )
            assert None not in more.values(), more
            answer = await send(shop, method, call, more, form=form)
            name = parameter["name"] if parameter else "nothing more"
            found = check(swagger, method, path, answer, call.needs | more)
            wrong += [f"{name} as {'form' if form else 'json or query'}: {one}" for one in found]
    record_property("contract", {"operations": 1, "parameters": len(documented), "requests": number})
    assert not wrong, "\n".join(wrong)


@needs_schema
async def test_every_field_of_a_scheduled_item_is_accepted(shop, swagger, record_property):
    wrong = []
    fields = swagger["definitions"]["ScheduleAnnotation"]["properties"]
    for place, name in enumerate(fields):
        for form in (False, True):
            call = await schedules_case(shop, f"{place}{form}")
            item = call.needs["schedules"][0]
            item.setdefault(name, SAMPLES.get(name))
            answer = await send(shop, "POST", call, {}, form=form)
            wrong += [f"{name}: {one}" for one in check(swagger, "POST", SCHEDULE, answer, item)]
    record_property("contract", {"fields of a scheduled item": len(fields)})
    assert not wrong, "\n".join(wrong)


@needs_schema
async def test_every_required_field_and_every_other_is_there_by_name(shop, swagger, record_property):
    """Nothing that PortOne documents for a payment, a schedule or a key is left out, null or not."""
    compared = 0
    for place, operation in enumerate(sorted(CASES)):
        method, path = operation
        call = await CASES[operation](shop, f"{place:03d}")
        answer = await send(shop, method, call, {}, form=False)
        response, count = answer.json()["response"], 0
        for schema in _objects(swagger, method, path):
            rows = response["list"] if isinstance(response, dict) and "list" in response else response
            row = rows[0] if isinstance(rows, list) and rows else rows
            missing = set(schema["properties"]) - set(row or {})
            assert not row or not missing, f"{method} {path}: {sorted(missing)}"
            count = len(schema["properties"])
        compared += count
    record_property("contract", {"fields of responses": compared})


@needs_schema
@pytest.mark.parametrize("operation", sorted(set(CASES) - {("POST", "/users/getToken")}), ids=" ".join)
async def test_without_a_token_each_operation_is_401_in_the_envelope(shop, operation):
    method, _ = operation
    call = await CASES[operation](shop, "001")
    answer = await shop.http.request(method, call.path)
    assert (answer.status_code, answer.json()) == (401, {"code": -1, "message": "Unauthorized", "response": None})


@needs_schema
async def test_what_is_unknown_is_404_wherever_the_schema_says_so(shop, swagger, record_property):
    checked = 0
    for method, path in sorted(CASES):
        operation = swagger["paths"][path][method.lower()]
        if "404" not in operation["responses"] or "{" not in path:
            continue
        real = path.replace("{payment_status}", "paid")
        for name in (
            "customer_uid",
            "merchant_uid",
            "imp_uid",
            "card_standard_code",
            "bank_standard_code",
            "product_order_id",
        ):
            real = real.replace(f"{{{name}}}", "nobody")
        body = {"schedule_at": 4000000000, "otp": "1"} if method in ("POST", "PUT") else None
        answer = await shop.call(method, real, body)
        assert (answer.status_code, answer.json()["response"]) == (404, None), (method, path)
        assert answer.json()["code"] != 0
        checked += 1
    record_property("contract", {"operations that answer 404": checked})
    assert checked > 20


def _objects(swagger: dict[str, Any], method: str, path: str) -> list[dict[str, Any]]:
    """The definition of what an operation answers one of."""
    schema = response_schema(swagger, method, path)
    node = schema
    while True:
        if "$ref" in node:
            node = schema["definitions"][node["$ref"].rsplit("/", 1)[1]]
        elif "items" in node:
            node = node["items"]
        elif "list" in node.get("properties", {}):
            node = next(one for one in node["properties"]["list"]["anyOf"] if one.get("type") != "null")
        else:
            return [node] if "properties" in node else []
