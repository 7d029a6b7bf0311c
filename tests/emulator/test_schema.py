"""What the emulator answers, held against PortOne's own V1 schema: each path's success response.

The schema is data to read, not part of this project: it lies beside the repository, or where GUDOK_PORTONE_SCHEMA says.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SCHEMA = Path(os.environ.get("GUDOK_PORTONE_SCHEMA") or REPOSITORY.parent / "shared/portone/v1.openapi.json")
# The text says "paged list", the type an array; official clients read the paged object (facts.md 2.3).
PAGED_SCHEDULES = {
    ("GET", "/subscribe/payments/schedule"),
    ("GET", "/subscribe/payments/schedule/customers/{customer_uid}"),
    ("GET", "/subscribe/customers/{customer_uid}/schedules"),
}


@pytest.fixture(scope="module")
def swagger() -> dict[str, Any]:
    if not SCHEMA.is_file():
        pytest.skip(f"PortOne's V1 schema is not here: {SCHEMA} (set GUDOK_PORTONE_SCHEMA)")
    document: dict[str, Any] = json.loads(SCHEMA.read_text())
    return document


def _tightened(node: Any, *, closed: bool) -> Any:
    """A Swagger 2.0 schema as JSON Schema: what is not required may be null, what is not documented may not be there.

    Slips of the schema are set right: lengths written as text, and names required that are no properties.
    """
    if isinstance(node, list):
        return [_tightened(item, closed=closed) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if key not in ("example", "default", "description", "title")}
    fixed = {key: _tightened(value, closed=closed) for key, value in kept.items() if not key.startswith("x-")}
    if isinstance(fixed.get("maxLength"), str):
        fixed["maxLength"] = int(fixed["maxLength"])
    properties = fixed.get("properties")
    if isinstance(properties, dict):
        fixed["required"] = [name for name in node.get("required") or [] if name in properties]
        fixed["properties"] = {
            name: schema if name in fixed["required"] else {"anyOf": [schema, {"type": "null"}]}
            for name, schema in properties.items()
        }
        if closed:
            fixed["additionalProperties"] = False
    return {key: value for key, value in fixed.items() if key != "required" or isinstance(value, list)}


def _success_schema(swagger: dict[str, Any], method: str, path: str, status: int) -> dict[str, Any]:
    answer = swagger["paths"][path][method.lower()]["responses"][str(status)]["schema"]
    # A key is answered as one of two shapes; the emulator issues ordinary ones.
    answer = answer.get("properties", {}).get("CustomerResponse", answer)
    envelope = swagger["definitions"][answer["$ref"].rsplit("/", 1)[1]]
    response = next(part["properties"]["response"] for part in envelope["allOf"] if "properties" in part)
    if (method, path) in PAGED_SCHEDULES:
        assert response["type"] == "array", "the schema has settled what a schedule list is: drop PAGED_SCHEDULES"
        page = swagger["definitions"]["PagedPaymentAnnotation"]
        response = {**page, "properties": {**page["properties"], "list": response}}
    definitions = {name: _tightened(schema, closed=True) for name, schema in swagger["definitions"].items()}
    return {**_tightened(response, closed=True), "definitions": definitions}


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
        validator = jsonschema.Draft4Validator(_success_schema(swagger, method, path, status))
        wrong += [f"{method} {path}: {found}" for found in _found(validator, told["response"])]
    assert not wrong, "\n".join(wrong)


async def test_the_token_has_the_shape_that_portone_documents(merchant, swagger):
    settings = merchant.app.state.account.settings
    answer = await merchant.http.post(
        "/users/getToken", json={"imp_key": settings.imp_key, "imp_secret": settings.imp_secret}
    )
    validator = jsonschema.Draft4Validator(_success_schema(swagger, "POST", "/users/getToken", 200))
    assert list(validator.iter_errors(answer.json()["response"])) == []


async def test_the_emulator_has_no_path_that_portone_has_not(merchant, swagger):
    documented = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, methods in swagger["paths"].items()
        for method in methods
    }
    served = {
        (method, re.sub(r"\{\w+\}", "{}", path))
        for path, methods in merchant.app.openapi()["paths"].items()
        for method in map(str.upper, methods)
        if not path.startswith("/emulator")
    }
    # The last part of these two is optional, which a path of the schema cannot say.
    documented |= {("GET", "/payments/find/{}"), ("GET", "/payments/findAll/{}")}
    assert served - documented == set()
    assert len(served) >= 29


def _found(validator: jsonschema.Draft4Validator, response: Any) -> list[str]:
    # Of "this or null" the first branch is the one that was meant.
    meant = [error.context[0] if error.context else error for error in validator.iter_errors(response)]
    return [f"{error.json_path} {error.message}" for error in meant]


def _order(merchant_uid: str, **more: Any) -> dict[str, Any]:
    return {"merchant_uid": merchant_uid, "amount": 9900, "name": "Plan", **more}
