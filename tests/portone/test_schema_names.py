"""Every name the client puts on the wire, or reads from it, is one that PortOne's schema documents."""

import contextlib
import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from billing.domain.money import Money
from billing.portone import (
    BillingKey,
    CancelPayment,
    Card,
    Channel,
    ChargeAgain,
    ChargeOnetime,
    IssueBillingKey,
    Payment,
    PortOneClient,
    PortOneRefusedError,
    Schedule,
    ScheduleItem,
    ScheduleRequest,
)
from billing.portone.models import Cancellation, KeyChannel

ROOT = Path(__file__).parents[2]
SCHEMA = Path(os.environ.get("GUDOK_PORTONE_SCHEMA") or ROOT / "../shared/portone/v1.openapi.json")
needs_schema = pytest.mark.skipif(not SCHEMA.is_file(), reason=f"PortOne's schema is not at {SCHEMA}")

START = datetime(2030, 1, 1, tzinfo=UTC)
WINDOW: dict[str, Any] = {"start": START, "end": START + timedelta(days=30)}
CARD = Card.model_validate(
    {"card_number": "5409-4012-3456-7890", "expiry": "2031-12", "birth": "900131", "pwd_2digit": "73", "cvc": "481"}
)
TERMS: dict[str, Any] = {
    "merchant_uid": "order-1",
    "amount": Money(55_000),
    "name": "A month",
    "tax_free": 1100,
    "vat_amount": 4900,
    "buyer_name": "Kim",
    "buyer_email": "kim@example.com",
    "buyer_tel": "010-0000-0000",
    "buyer_addr": "Seoul",
    "buyer_postcode": "04524",
    "card_quota": 2,
    "interest_free_by_merchant": True,
    "use_card_point": True,
    "custom_data": "{}",
    "notice_url": "https://gudok.example/webhooks/portone/x",
    "browser_ip": "192.0.2.1",
    "product_type": "digital",
    "promotion_id": "promotion-id-1",
    "bypass": "{}",
}
BILLED = TERMS | {"product_count": 1, "cash_receipt_type": "person", "extra": {"naverUseCfm": "20300101"}}
ITEM = ScheduleItem(schedule_at=START, **BILLED)
ONETIME = ChargeOnetime(
    card=CARD,
    customer_uid="customer-1",
    pg="nice",
    channel_group_id="group-1",
    secure_3d_charge_id="3d-1",
    secure_3d_token="3d-2",
    **TERMS,
)
KEY = IssueBillingKey(
    card=CARD,
    pg="nice",
    channel_key="channel-1",
    channel_group_id="group-1",
    customer_id="id-1",
    customer_name="Kim",
    customer_tel="010-0000-0000",
    customer_email="kim@example.com",
    customer_addr="Seoul",
    customer_postcode="04524",
)
SCHEDULE = ScheduleRequest(
    customer_uid="customer-1",
    schedules=(ITEM,),
    card=CARD,
    customer_id="id-1",
    checking_amount=100,
    channel_key="channel-1",
    pg="nice",
)
CANCEL = CancelPayment(
    imp_uid="imps_1",
    merchant_uid="order-1",
    amount=Money(100),
    checksum=Money(200),
    tax_free=10,
    vat_amount=9,
    reason="asked",
    requester="customer",
    retain_promotion=True,
    enable_webhook=True,
)

CALLS: dict[str, tuple[Any, ...]] = {
    "list_channels": (),
    "list_billing_keys": (["customer-1", "customer-2"],),
    "find_billing_key": ("customer-1",),
    "issue_billing_key": ("customer-1", KEY),
    "delete_billing_key": ("customer-1", {"reason": "moved", "requester": "customer"}),
    "list_billing_key_payments": ("customer-1", {"page": 2}),
    "list_billing_key_schedules": ("customer-1", WINDOW | {"status": "scheduled", "page": 2}),
    "list_customer_schedules": ("customer-1", WINDOW | {"status": "scheduled", "page": 2}),
    "charge_onetime": (ONETIME,),
    "charge_again": (ChargeAgain(customer_uid="customer-1", channel_key="channel-1", **BILLED),),
    "schedule": (SCHEDULE,),
    "find_schedule": ("order-1",),
    "list_schedules": (WINDOW | {"status": "scheduled", "page": 2, "limit": 5, "oldest_first": True},),
    "move_schedule": ("order-1", START),
    "reschedule": ("order-1", START),
    "retry_schedule": ("order-1",),
    "unschedule": ("customer-1", ["order-1"]),
    "find_payment": ("imps_1",),
    "list_payments": ({"imp_uids": ["imps_1"], "merchant_uids": ["order-1"]},),
    "find_payment_by_merchant_uid": ("order-1", {"status": "paid", "sorting": "-paid"}),
    "find_all_payments": ("order-1", {"status": "paid"}),
    "list_payments_by_status": ("paid", WINDOW | {"page": 2, "limit": 5, "oldest_first": True}),
    "cancel_payment": (CANCEL,),
    "prepare": ("order-1", Money(100)),
    "change_prepared": ("order-1", Money(100)),
    "find_prepared": ("order-1",),
}

NOT_IN_THE_SCHEMA = {
    # Old clients send it, and the guide's other calls take it (facts.md 2.6).
    ("POST", "/subscribe/payments/schedule", "pg"),
}


def schema() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return document


async def sent_by(method: str) -> httpx.Request:
    """The request that a method of the client puts on the wire, with everything said that can be said."""
    sent: list[httpx.Request] = []

    async def body(text: bytes) -> Any:
        yield text

    def answer(request: httpx.Request) -> httpx.Response:
        token = b'{"code": 0, "response": {"access_token": "t", "now": 1, "expired_at": 1801}}'
        if request.url.path == "/users/getToken":
            return httpx.Response(200, content=body(token))
        sent.append(request)
        return httpx.Response(200, content=body(b'{"code": 2, "message": "enough", "response": null}'))

    arguments = list(CALLS[method])
    named = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
    async with PortOneClient(
        base_url="https://portone.test",
        imp_key="key",
        imp_secret="secret",
        include_sandbox=True,
        transport=httpx.MockTransport(answer),
    ) as client:
        with contextlib.suppress(PortOneRefusedError):
            await getattr(client, method)(*arguments, **named)
    [request] = sent
    return request


def operation_of(document: dict[str, Any], request: httpx.Request) -> tuple[str, dict[str, Any]]:
    """The documented operation a request goes to; a literal path before a template."""
    for path in sorted(document["paths"], key=lambda path: ("{" in path, path)):
        pattern = re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(path))
        if re.fullmatch(pattern, request.url.path) and request.method.lower() in document["paths"][path]:
            return path, document["paths"][path][request.method.lower()]
    raise AssertionError(f"{request.method} {request.url.path} is not documented")


def test_every_method_that_asks_portone_is_listed_here():
    methods = {name for name in vars(PortOneClient) if not name.startswith("_")}
    assert set(CALLS) == methods - {"aclose", "server_now", "include_sandbox"}


@needs_schema
@pytest.mark.parametrize("method", CALLS)
async def test_every_parameter_that_is_sent_is_documented_for_its_call(method):
    document = schema()
    request = await sent_by(method)
    path, operation = operation_of(document, request)
    documented: dict[str, set[str]] = {"query": set(), "formData": set()}
    for parameter in operation.get("parameters", []):
        documented.setdefault(parameter["in"], set()).add(parameter["name"])
    assert {name for name, _ in request.url.params.multi_items()} <= documented["query"]
    body = set(json.loads(request.content)) if request.content else set()
    unknown = {name for name in body - documented["formData"] if (request.method, path, name) not in NOT_IN_THE_SCHEMA}
    assert unknown == set()


@needs_schema
@pytest.mark.parametrize("method", CALLS)
async def test_every_parameter_that_is_required_is_sent(method):
    request = await sent_by(method)
    _, operation = operation_of(schema(), request)
    sent = {name for name, _ in request.url.params.multi_items()}
    sent |= set(json.loads(request.content)) if request.content else set()
    required = {one["name"] for one in operation.get("parameters", []) if one.get("required") and one["in"] != "path"}
    assert required <= sent


@needs_schema
async def test_every_name_inside_a_schedule_is_documented_and_every_required_one_there():
    annotation = schema()["definitions"]["ScheduleAnnotation"]
    [item] = json.loads((await sent_by("schedule")).content)["schedules"]
    assert set(annotation["required"]) <= set(item) <= set(annotation["properties"])


@needs_schema
@pytest.mark.parametrize(
    ("model", "definitions"),
    [
        (Payment, ["PaymentAnnotation"]),
        (Cancellation, ["PaymentCancelAnnotation"]),
        (Schedule, ["ScheduleResultAnnotation"]),
        (BillingKey, ["CustomerAnnotation", "SuperBillingKeyAnnotation"]),
        (KeyChannel, ["SucceededChannelAnnotation", "FailedChannelAnnotation"]),
        (Channel, ["PgSettingAnnotation"]),
    ],
)
def test_every_field_that_is_read_is_documented(model: type[BaseModel], definitions: list[str]):
    documented = {name for each in definitions for name in schema()["definitions"][each]["properties"]}
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        names = {name} if alias is None else {str(choice) for choice in getattr(alias, "choices", [alias])}
        assert names & documented, name


@needs_schema
async def test_uids_and_texts_are_cut_where_portone_ends_them():
    """The lengths of the schema are those the requests keep to, for every text that a buyer can type."""
    operation = schema()["paths"]["/subscribe/payments/again"]["post"]
    limits = {one["name"]: one["maxLength"] for one in operation["parameters"] if "maxLength" in one}
    typed = ("name", "buyer_name", "buyer_addr", "buyer_email", "buyer_tel", "buyer_postcode")
    long = ChargeAgain(customer_uid="c", **(BILLED | dict.fromkeys(typed, "x" * 500))).body()
    for name in typed:
        assert len(long.get(name, "")) <= limits[name], name
    fitting = {name: "x" * limits[name] for name in typed}
    kept = ChargeAgain(customer_uid="c", **(BILLED | fitting)).body()
    assert {name: kept[name] for name in typed} == fitting
