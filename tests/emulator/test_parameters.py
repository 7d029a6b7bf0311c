"""Every limit of PortOne's V1 schema on a parameter: what it allows is taken, what is one beyond it is refused."""

from typing import Any

import pytest

from billing.emulator.parameters import CHOICES, LENGTHS, NUMBERS
from tests.emulator.contract_cases import CASES, schedules_case
from tests.emulator.portone_schema import SCHEMA, load_schema
from tests.emulator.test_contract import send

needs_schema = pytest.mark.skipif(not SCHEMA.is_file(), reason=f"PortOne's V1 schema is not here: {SCHEMA}")


IDS = ("customer_uid", "merchant_uid")


@pytest.fixture(scope="module")
def swagger() -> dict[str, Any]:
    return load_schema()


@pytest.fixture
async def shop(start):
    merchant = await start()
    await merchant.issue()
    await merchant.issue("lee", "0002")
    return merchant


def _parameters(swagger, method, path):
    return swagger["paths"][path][method.lower()].get("parameters", [])


def _limits(parameters) -> list[tuple[str, str, list[Any], Any]]:
    """Where it is, its name, what is allowed at most, and what is one beyond; None when nothing is."""
    found: list[tuple[str, str, list[Any], Any]] = []
    for one in parameters:
        if "maxLength" in one:
            longest = int(one["maxLength"])
            found.append((one["in"], one["name"], ["가" * longest], "가" * (longest + 1)))
        elif "enum" in one and "올바르지 않은" in str(one.get("description")) and "default" in one:
            # The schema says of these that any other code counts as the default.
            found.append((one["in"], one["name"], [*one["enum"], "odd"], None))
        elif "enum" in one:
            found.append((one["in"], one["name"], one["enum"], "odd"))
        elif one.get("type") in ("integer", "number"):
            found.append((one["in"], one["name"], [], "ten"))
        if "maximum" in one:
            most = int(one["maximum"])
            found += [(one["in"], one["name"], [most], most + 1), (one["in"], one["name"], [1], 0)]
    return found


async def _answer(shop, method, call, place, name, value):
    if place == "path":
        head, _, _ = call.path.rpartition("/")
        call.path = f"{head}/{value}"
        return await send(shop, method, call, {}, form=False)
    return await send(shop, method, call, {name: value}, form=False)


@needs_schema
@pytest.mark.parametrize("operation", sorted(CASES), ids=" ".join)
async def test_each_limit_of_the_schema_is_kept_to_the_letter(shop, swagger, operation, record_property):
    method, path = operation
    wrong, tried = [], 0
    for place, name, allowed, beyond in _limits(_parameters(swagger, method, path)):
        for value in [*allowed, *([] if beyond is None else [beyond])]:
            tried += 1
            call = await CASES[operation](shop, f"{tried:03d}")
            answer = await _answer(shop, method, call, place, name, value)
            told = answer.json()
            refused = told["code"] != 0 and told["response"] is None
            if name in IDS:
                # One of the right length may be nobody's, and is refused for that.
                refused = str(told["message"]).startswith(f"{name} 파라메터는 ")
            if refused != (value == beyond):
                wrong.append(f"{name}={value!r}: {answer.status_code} {told['code']} {told['message']}")
            if value == beyond and answer.status_code not in (200, 400):
                wrong.append(f"{name}={value!r}: {answer.status_code}")
    record_property("contract", {"limits tried": tried})
    assert not wrong, "\n".join(wrong)


@needs_schema
async def test_each_limit_of_a_scheduled_item_is_kept_to_the_letter(shop, swagger):
    fields = swagger["definitions"]["ScheduleAnnotation"]["properties"]
    wrong = []
    limits = _limits([{"in": "item", "name": name, **field} for name, field in fields.items()])
    for place, (_, name, allowed, beyond) in enumerate(limits):
        for turn, value in enumerate([*allowed, beyond]):
            call = await schedules_case(shop, f"{place:03d}{turn}")
            call.needs["schedules"][0][name] = value
            told = (await send(shop, "POST", call, {}, form=turn == 0)).json()
            if (told["code"] != 0) != (value == beyond):
                wrong.append(f"{name}={value!r}: {told['code']} {told['message']}")
    assert not wrong, "\n".join(wrong)


@needs_schema
def test_no_limit_is_kept_that_the_schema_has_not(swagger):
    for (method, path), lengths in LENGTHS.items():
        documented = {one["name"]: int(one.get("maxLength") or 0) for one in _parameters(swagger, method, path)}
        assert {name: documented[name] for name in lengths} == dict(lengths), path
    for (method, path), choices in CHOICES.items():
        documented = {one["name"]: tuple(one.get("enum") or ()) for one in _parameters(swagger, method, path)}
        assert {name: documented[name] for name in choices} == dict(choices), path
    numbers = {
        one["name"]
        for method, path in CASES
        for one in _parameters(swagger, method, path)
        if one["in"] == "formData" and one.get("type") in ("integer", "number")
    }
    assert numbers - set(NUMBERS) == set()


async def test_a_name_of_41_characters_charges_nothing(shop):
    told = (await shop.again("m1", name="가" * 41)).json()
    assert told == {"code": 1, "message": "name 파라메터는 40자 이내여야 합니다.", "response": None}
    assert (await shop.again("m1", name="가" * 40)).json()["code"] == 0
    assert [row["merchant_uid"] for row in await shop.charges()] == ["m1"]


@pytest.mark.parametrize("nothing", [None, ""])
async def test_what_is_left_empty_has_no_length_and_no_choice(shop, nothing):
    more = {"buyer_name": nothing, "product_type": nothing, "card_quota": nothing, "vat_amount": nothing}
    assert (await shop.again("m1", **more)).json()["code"] == 0
