"""Every operation of PortOne's V1 schema: served, or refused by its name; with the statuses that the schema lists."""

import re

import pytest

from billing.emulator.app import SERVED
from billing.emulator.operations import EXCEPTIONS, OPERATIONS
from billing.emulator.routes.unserved import unserved
from tests.emulator.portone_schema import load_schema

UNSERVED = list(unserved(SERVED))


def test_the_table_has_each_operation_of_the_schema_with_its_statuses(record_property):
    schema = {
        (method.upper(), path): tuple(sorted(int(status) for status in operation["responses"]))
        for path, methods in load_schema()["paths"].items()
        for method, operation in methods.items()
    }
    assert {(one.method, one.path): tuple(sorted(one.statuses)) for one in OPERATIONS} == schema
    record_property("contract", {"operations in the table": len(OPERATIONS)})


@pytest.mark.parametrize("operation", UNSERVED, ids=lambda one: f"{one.method} {one.path}")
async def test_what_is_not_served_says_so_by_its_name(merchant, operation):
    path = re.sub(r"\{\w+\}", "x", operation.path)
    assert (await merchant.http.request(operation.method, path)).status_code == 401
    answer = await merchant.call(operation.method, path, None if operation.method == "GET" else {})
    assert answer.status_code == 501
    named = f"gudok 에뮬레이터가 제공하지 않는 API입니다: {operation.method} {operation.path}"
    assert answer.json() == {"code": -1, "message": named, "response": None}


async def test_what_portone_has_not_either_is_404_and_no_promise(merchant):
    answer = await merchant.call("POST", "/subscribe/payments/never")
    assert (answer.status_code, answer.json()["code"]) == (404, -1)


def test_each_exception_is_of_an_operation_that_does_not_list_it_and_names_who_saw_it():
    listed = {(one.method, one.path): one.statuses for one in OPERATIONS}
    for (method, path, status), source in EXCEPTIONS.items():
        assert source.endswith(".")
        assert method == "*" or status not in listed[method, path]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/subscribe/payments/again", {"merchant_uid": "m1", "amount": "ten"}, 200),
        ("POST", "/subscribe/payments/schedule", {"customer_uid": "kim", "schedules": []}, 200),
        ("POST", "/subscribe/payments/unschedule", {}, 200),
        ("POST", "/payments/prepare", {"amount": 1}, 200),
        ("POST", "/vbanks", {"merchant_uid": "m1", "amount": 1, "vbank_code": "004", "vbank_due": "soon"}, 200),
        ("GET", "/subscribe/customers", None, 200),
        ("GET", "/payments", None, 200),
        ("GET", "/payments/find/m1/odd", None, 200),
        ("GET", "/payments/findAll/m1/odd", None, 400),
        ("GET", "/payments/status/odd", None, 400),
        ("GET", "/subscribe/payments/schedule", None, 400),
        ("PUT", "/subscribe/payments/schedule/m1", {}, 400),
        ("POST", "/certifications/otp/request", {}, 400),
        ("POST", "/receipts/x", {}, 400),
    ],
)
async def test_bad_parameters_are_400_where_the_schema_lists_it_and_a_code_elsewhere(
    merchant, method, path, body, status
):
    answer = await merchant.call(method, path, body)
    assert (answer.status_code, answer.json()["code"], answer.json()["response"]) == (status, 1, None)
