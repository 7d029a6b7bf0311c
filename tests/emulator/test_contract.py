"""The emulator against PortOne's own V1 schema: every documented parameter, every response, every required field.

For each operation in scope one request for each documented parameter, as JSON and as a form with brackets, or in the
query. Each answer has to be a success of the documented shape, and has to echo what PortOne echoes.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import jsonschema
import pytest

from tests.emulator.portone_schema import SCHEMA, SUPER, load_schema, problems, response_schema

OUT_OF_SCOPE = (
    "/benepia", "/cvs", "/escrows", "/kcpquick", "/naver", "/partners", "/payco", "/paymentwall", "/tiers",
)  # fmt: skip

CARD = {"card_number": "4518-4212-3456-1111", "expiry": "2099-12"}
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
    "fixed_unlimited_vbank": True,
    "gender_digit": "2",
    "identifier": "010-1234-5678",
    "identifier_type": "phone",
    "include_sandbox": True,
    "interest_free_by_merchant": True,
    "is_mvno": True,
    "limit": 5,
    "name": "한 달",
    "notice_url": "http://127.0.0.1:9/hook",
    "otp": "123456",
    "page": 1,
    "pay_method": "vbank",
    "pg": "nice.iamport01m",
    "pg_api_key": "key",
    "phone": "01012345678",
    "product_count": 2,
    "product_type": "digital",
    "promotion_id": "promotion-id-1",
    "pwd_2digit": "12",
    "reason": "변심",
    "refund_account": "1234567890",
    "refund_bank": "004",
    "refund_holder": "홍길동",
    "refund_tel": "01012345678",
    "retain_promotion": True,
    "schedule-status": "scheduled",
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


@dataclass
class Call:
    """One call that succeeds: the real path, and what it cannot do without."""

    path: str
    needs: dict[str, Any] = field(default_factory=dict)


Ready = Callable[[Any, str], Awaitable[Call]]


def _is(path: str, **needs: Any) -> Ready:
    """A call that needs nothing to be there before but the token and the key `kim`; `{n}` is a number of its own."""

    async def ready(_merchant: Any, number: str) -> Call:
        return Call(path.replace("{n}", number), {name: _own(value, number) for name, value in needs.items()})

    return ready


def _own(value: Any, number: str) -> Any:
    return value.replace("{n}", number) if isinstance(value, str) else value


def _window(path: str, start: str, end: str) -> Ready:
    async def ready(merchant: Any, number: str) -> Call:
        now = await merchant.now()
        return Call(path.replace("{n}", number), {start: now - 1000, end: now + 1000})

    return ready


def _paid(path: str, **needs: Any) -> Ready:
    async def ready(merchant: Any, number: str) -> Call:
        row = (await merchant.again(f"p{number}")).json()["response"]
        found = {name: row[value[1:]] if str(value).startswith("$") else value for name, value in needs.items()}
        return Call(path.format(**row), found)

    return ready


def _scheduled(path: str, *, failed: bool = False, moved: bool = True) -> Ready:
    async def ready(merchant: Any, number: str) -> Call:
        await merchant.schedule(f"s{number}", "lee" if failed else "kim", after=5 if failed else 3600)
        if failed:
            await merchant.advance(10)
        return Call(path.replace("{n}", number), {"schedule_at": await merchant.now() + 7200} if moved else {})

    return ready


def _account(path: str, *, deposited: bool = False, **needs: Any) -> Ready:
    async def ready(merchant: Any, number: str) -> Call:
        order = {"merchant_uid": f"v{number}", "amount": 11000, "vbank_code": "004"}
        row = await merchant.ok("POST", "/vbanks", order | {"vbank_due": await merchant.now() + 3600})
        if deposited:
            await merchant.control("POST", "console", {"act": "deposit", "imp_uid": row["imp_uid"]})
        return Call(path.format(**row), dict(needs))

    return ready


def _receipt(path: str) -> Ready:
    async def ready(merchant: Any, number: str) -> Call:
        call = await _account("/receipts/{imp_uid}", deposited=True)(merchant, number)
        await merchant.ok("POST", call.path, {"identifier": "1"})
        return Call(call.path)

    async def ready_external(merchant: Any, number: str) -> Call:
        await merchant.ok("POST", f"{path}{number}", EXTERNAL)
        return Call(f"{path}{number}")

    return ready_external if path else ready


def _certified(path: str) -> Ready:
    async def ready(merchant: Any, _number: str) -> Call:
        row = await merchant.ok("POST", "/certifications/otp/request", PERSON)
        return Call(path.format(**row), {"otp": "123456"} if "confirm" in path else {})

    return ready


async def _by_status(merchant: Any, number: str) -> Call:
    await merchant.again(f"p{number}")
    now = await merchant.now()
    return Call("/payments/status/paid", {"from": now - 1000, "to": now + 1000})


async def _balance(merchant: Any, number: str) -> Call:
    await merchant.issue("payco", pg="payco")
    row = (await merchant.again(f"b{number}", "payco", tax_free=1000)).json()["response"]
    await merchant.ok("POST", "/payments/cancel", {"imp_uid": row["imp_uid"], "amount": 900})
    return Call(f"/payments/{row['imp_uid']}/balance")


async def _schedules(merchant: Any, number: str) -> Call:
    item = {
        "merchant_uid": f"n{number}",
        "schedule_at": await merchant.now() + 3600,
        "amount": 9900,
        "currency": "KRW",
        "name": "한 달",
    }
    return Call("/subscribe/payments/schedule", {"customer_uid": "kim", "schedules": [item]})


async def _unschedule(merchant: Any, number: str) -> Call:
    await merchant.schedule(f"u{number}")
    return Call("/subscribe/payments/unschedule", {"customer_uid": "kim"})


async def _deletable(merchant: Any, number: str) -> Call:
    await merchant.issue(f"gone{number}")
    return Call(f"/subscribe/customers/gone{number}")


async def _prepared(merchant: Any, number: str) -> Call:
    order = {"merchant_uid": f"w{number}", "amount": 100}
    await merchant.ok("POST", "/payments/prepare", order)
    return Call("/payments/prepare", order)


async def _prepared_one(merchant: Any, number: str) -> Call:
    await _prepared(merchant, number)
    return Call(f"/payments/prepare/w{number}")


async def _vbank(merchant: Any, number: str) -> Call:
    due = await merchant.now() + 3600
    needs = {"channel_key": "channel-key-nice", "merchant_uid": f"v{number}", "amount": 100, "vbank_code": "004"}
    return Call("/vbanks", needs | {"vbank_due": due})


async def _token(merchant: Any, _number: str) -> Call:
    settings = merchant.app.state.account.settings
    return Call("/users/getToken", {"imp_key": settings.imp_key, "imp_secret": settings.imp_secret})


ORDER = {"merchant_uid": "o{n}", "amount": 9900, "name": "한 달"}
PERSON = {"name": "홍길동", "phone": "01012345678", "birth": "900131", "gender_digit": "1", "carrier": "SKT"} | {
    "channel_key": "channel-key-danal"
}
EXTERNAL = {"channel_key": "channel-key-nice", "name": "한 달", "amount": 1100, "identifier": "010"}
KEYS, SCHEDULE = "/subscribe/customers", "/subscribe/payments/schedule"
STATUS = {"payment_status": "paid"}

CASES: dict[tuple[str, str], Ready] = {
    ("POST", "/users/getToken"): _token,
    ("GET", "/users/pg"): _is("/users/pg"),
    ("GET", KEYS): _is(KEYS, **{"customer_uid[]": "kim"}),
    ("GET", f"{KEYS}/{{customer_uid}}"): _is(f"{KEYS}/kim"),
    ("POST", f"{KEYS}/{{customer_uid}}"): _is(f"{KEYS}/new{{n}}", channel_key="channel-key-nice", **CARD),
    ("DELETE", f"{KEYS}/{{customer_uid}}"): _deletable,
    ("GET", f"{KEYS}/{{customer_uid}}/payments"): _is(f"{KEYS}/kim/payments"),
    ("GET", f"{KEYS}/{{customer_uid}}/schedules"): _window(f"{KEYS}/kim/schedules", "from", "to"),
    ("POST", "/subscribe/payments/onetime"): _is("/subscribe/payments/onetime", **ORDER, **CARD),
    ("POST", "/subscribe/payments/again"): _is("/subscribe/payments/again", **ORDER, customer_uid="kim"),
    ("POST", SCHEDULE): _schedules,
    ("GET", SCHEDULE): _window(SCHEDULE, "schedule_from", "schedule_to"),
    ("GET", f"{SCHEDULE}/customers/{{customer_uid}}"): _window(f"{SCHEDULE}/customers/kim", "from", "to"),
    ("GET", f"{SCHEDULE}/{{merchant_uid}}"): _scheduled(f"{SCHEDULE}/s{{n}}", moved=False),
    ("PUT", f"{SCHEDULE}/{{merchant_uid}}"): _scheduled(f"{SCHEDULE}/s{{n}}"),
    ("POST", f"{SCHEDULE}/{{merchant_uid}}/reschedule"): _scheduled(f"{SCHEDULE}/s{{n}}/reschedule", failed=True),
    ("POST", f"{SCHEDULE}/{{merchant_uid}}/retry"): _scheduled(f"{SCHEDULE}/s{{n}}/retry", failed=True, moved=False),
    ("POST", "/subscribe/payments/unschedule"): _unschedule,
    ("GET", "/payments"): _paid("/payments", **{"imp_uid[]": "$imp_uid"}),
    ("GET", "/payments/{imp_uid}"): _paid("/payments/{imp_uid}"),
    ("GET", "/payments/{imp_uid}/balance"): _balance,
    ("GET", "/payments/find/{merchant_uid}/{payment_status}"): _paid("/payments/find/{merchant_uid}/paid"),
    ("GET", "/payments/findAll/{merchant_uid}/{payment_status}"): _paid("/payments/findAll/{merchant_uid}/paid"),
    ("GET", "/payments/status/{payment_status}"): _by_status,
    ("POST", "/payments/cancel"): _paid("/payments/cancel", imp_uid="$imp_uid"),
    ("POST", "/payments/prepare"): _is("/payments/prepare", merchant_uid="w{n}", amount=100),
    ("PUT", "/payments/prepare"): _prepared,
    ("GET", "/payments/prepare/{merchant_uid}"): _prepared_one,
    ("GET", "/cards"): _is("/cards"),
    ("GET", "/cards/{card_standard_code}"): _is("/cards/361"),
    ("GET", "/banks"): _is("/banks"),
    ("GET", "/banks/{bank_standard_code}"): _is("/banks/004"),
    ("POST", "/vbanks"): _vbank,
    ("PUT", "/vbanks/{imp_uid}"): _account("/vbanks/{imp_uid}"),
    ("DELETE", "/vbanks/{imp_uid}"): _account("/vbanks/{imp_uid}"),
    ("GET", "/receipts/{imp_uid}"): _receipt(""),
    ("POST", "/receipts/{imp_uid}"): _account("/receipts/{imp_uid}", deposited=True, identifier="010"),
    ("DELETE", "/receipts/{imp_uid}"): _receipt(""),
    ("GET", "/receipts/external/{merchant_uid}"): _receipt("/receipts/external/x"),
    ("POST", "/receipts/external/{merchant_uid}"): _is("/receipts/external/x{n}", **EXTERNAL),
    ("DELETE", "/receipts/external/{merchant_uid}"): _receipt("/receipts/external/x"),
    ("GET", "/certifications/{imp_uid}"): _certified("/certifications/{imp_uid}"),
    ("DELETE", "/certifications/{imp_uid}"): _certified("/certifications/{imp_uid}"),
    ("POST", "/certifications/otp/request"): _is("/certifications/otp/request", **PERSON),
    ("POST", "/certifications/otp/confirm/{imp_uid}"): _certified("/certifications/otp/confirm/{imp_uid}"),
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


def in_scope(swagger: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (method.upper(), path)
        for path, methods in swagger["paths"].items()
        for method in methods
        if not path.startswith(OUT_OF_SCOPE) and "/naver/" not in path
    }


def test_every_operation_in_scope_has_its_case(swagger):
    assert set(CASES) == in_scope(swagger)


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
            call = await _schedules(shop, f"{place}{form}")
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
        for name in ("customer_uid", "merchant_uid", "imp_uid", "card_standard_code", "bank_standard_code"):
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
