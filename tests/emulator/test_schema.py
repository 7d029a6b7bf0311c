"""A life of many calls in one emulator, each answer held against PortOne's own V1 schema."""

from typing import Any

import jsonschema
import pytest

from tests.emulator.portone_schema import load_schema, problems, response_schema


@pytest.fixture(scope="module")
def swagger() -> dict[str, Any]:
    return load_schema()


async def _acts_of_a_person(merchant: Any) -> None:
    """Rows that only the console makes, which the lists show beside the others."""
    hand = {"customer_uid": "kim", "amount": 700}
    await merchant.schedule("x1", after=700)
    await merchant.issue("late", "0002")
    await merchant.schedule("x2", "late", after=50)
    await merchant.advance(60)
    for act in (
        {"act": "execute", "merchant_uid": "x1"},
        {"act": "pay", "merchant_uid": "m1", **hand},
        {"act": "register", "merchant_uid": "x3", "schedule_at": await merchant.now() + 800, **hand},
        {"act": "approve_late", "merchant_uid": "x2"},
        {"act": "recovery", "hour": 9},
    ):
        await merchant.control("POST", "console", act)


async def _life(merchant: Any, make_card: Any) -> list[tuple[str, str, str, Any, int]]:
    """Calls that succeed, on every path that this emulator has: method, path of the schema, real path, body, status."""
    await merchant.issue(pg="nice", customer_name="Kim")
    await merchant.issue("lee", "0004")
    paid = (await merchant.again("m1")).json()["response"]
    await merchant.schedule("f1", "lee", after=60)
    await merchant.schedule("f2", "lee", after=61)
    await merchant.advance(100)
    await merchant.schedule("s1")
    await merchant.schedule("s2")
    await _acts_of_a_person(merchant)
    now = await merchant.now()
    window = f"from={now - 1000}&to={now + 10000}"
    schedule_window = f"schedule_from={now - 1000}&schedule_to={now + 10000}"
    item = {"merchant_uid": "s3", "schedule_at": now + 500, "amount": 100, "currency": "KRW", "name": "n"}
    key, schedule = "/subscribe/customers/{customer_uid}", "/subscribe/payments/schedule"
    one, some = schedule + "/{merchant_uid}", "/payments/find"
    return [
        ("GET", "/users/pg", "/users/pg", None, 200),
        ("GET", "/subscribe/customers", "/subscribe/customers?customer_uid[]=kim&customer_uid[]=lee", None, 200),
        ("GET", "/subscribe/customers", "/subscribe/customers?customer_uid[]=kim&customer_uid[]=no", None, 207),
        ("GET", key, "/subscribe/customers/kim", None, 200),
        ("POST", key, "/subscribe/customers/park", make_card(), 200),
        ("DELETE", key, "/subscribe/customers/park", None, 200),
        ("GET", f"{key}/payments", "/subscribe/customers/kim/payments", None, 200),
        ("GET", f"{key}/schedules", f"/subscribe/customers/kim/schedules?{window}", None, 200),
        ("GET", f"{schedule}/customers/{{customer_uid}}", f"{schedule}/customers/lee?{window}", None, 200),
        ("POST", "/subscribe/payments/onetime", "/subscribe/payments/onetime", _order("o1") | make_card(), 200),
        ("POST", "/subscribe/payments/again", "/subscribe/payments/again", _order("m2", customer_uid="kim"), 200),
        ("POST", schedule, schedule, {"customer_uid": "kim", "schedules": [item]}, 200),
        ("GET", schedule, f"{schedule}?{schedule_window}", None, 200),
        ("GET", one, f"{schedule}/f1", None, 200),
        ("GET", one, f"{schedule}/x1", None, 200),
        ("GET", one, f"{schedule}/x3", None, 200),
        ("GET", f"{some}All/{{merchant_uid}}/{{payment_status}}", f"{some}All/x2/paid", None, 200),
        ("PUT", one, f"{schedule}/s1", {"schedule_at": now + 900}, 200),
        ("POST", f"{one}/reschedule", f"{schedule}/f2/reschedule", {"schedule_at": now + 900}, 200),
        ("POST", f"{one}/retry", f"{schedule}/f1/retry", None, 200),
        ("POST", "/subscribe/payments/unschedule", "/subscribe/payments/unschedule", {"customer_uid": "kim"}, 200),
        ("GET", "/payments/{imp_uid}", f"/payments/{paid['imp_uid']}", None, 200),
        ("GET", "/payments", f"/payments?imp_uid[]={paid['imp_uid']}&merchant_uid[]=f1", None, 200),
        ("GET", "/payments", f"/payments?imp_uid[]={paid['imp_uid']}&imp_uid[]=no", None, 207),
        ("GET", f"{some}/{{merchant_uid}}/{{payment_status}}", f"{some}/m1", None, 200),
        ("GET", f"{some}/{{merchant_uid}}/{{payment_status}}", f"{some}/f1/failed", None, 200),
        ("GET", f"{some}All/{{merchant_uid}}/{{payment_status}}", f"{some}All/f1", None, 200),
        ("GET", f"{some}All/{{merchant_uid}}/{{payment_status}}", f"{some}All/f1/failed", None, 200),
        ("GET", "/payments/status/{payment_status}", "/payments/status/all", None, 200),
        ("POST", "/payments/cancel", "/payments/cancel", {"merchant_uid": "m1", "amount": 100}, 200),
        ("POST", "/payments/prepare", "/payments/prepare", {"merchant_uid": "w1", "amount": 100}, 200),
        ("PUT", "/payments/prepare", "/payments/prepare", {"merchant_uid": "w1", "amount": 200}, 200),
        ("GET", "/payments/prepare/{merchant_uid}", "/payments/prepare/w1", None, 200),
    ]


async def test_every_success_has_the_shape_that_portone_documents(merchant, make_card, swagger):
    wrong = []
    for method, path, real, body, status in await _life(merchant, make_card):
        answer = await merchant.call(method, real, body)
        told = answer.json()
        assert (answer.status_code, told["code"], told["message"]) == (status, 0, None), (method, real, told)
        validator = jsonschema.Draft4Validator(response_schema(swagger, method, path, status))
        wrong += [f"{method} {path}: {found}" for found in problems(validator, told["response"])]
    assert not wrong, "\n".join(wrong)


async def test_the_token_has_the_shape_that_portone_documents(merchant, swagger):
    settings = merchant.app.state.account.settings
    answer = await merchant.http.post(
        "/users/getToken", json={"imp_key": settings.imp_key, "imp_secret": settings.imp_secret}
    )
    validator = jsonschema.Draft4Validator(response_schema(swagger, "POST", "/users/getToken", 200))
    assert list(validator.iter_errors(answer.json()["response"])) == []


def _order(merchant_uid: str, **more: Any) -> dict[str, Any]:
    return {"merchant_uid": merchant_uid, "amount": 9900, "name": "Plan", **more}
