"""What the API's tests send, and what they look for afterwards."""

import asyncio
import copy
import itertools
import json
import re
import string
import uuid

import pytest
from sqlalchemy import func, select
from temporalio.service import RPCError, RPCStatusCode

from billing.ledger.tables import card_vault

CARD_NUMBER = "4518-4212-3456-7890"
CARD = {"card_number": CARD_NUMBER, "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}
PLAN = {"name": "월간 이용권", "amount": 9900, "interval": "month"}
CUSTOMER = {"id": "gildong", "name": "홍길동", "email": "gildong@example.com", "tel": "01012345678"}
LETTERS = str.maketrans(string.digits, "ghijklmnop")

# Every four digits in a row of the card and of the birth date.
SECRETS = sorted(
    {digits[at : at + 4] for digits in (CARD_NUMBER.replace("-", ""), CARD["birth"]) for at in range(len(digits) - 3)}
)
GONE = object()


def without_ids(shown):
    """What is shown, without the ids in it: drawn at random, they now and then hold four digits that a card has too."""
    return re.sub(r"imps?_[0-9]+|[0-9a-z]{20,}", "", shown)


def new_uid():
    """A customer_uid without digits, so that a digit in an answer comes from elsewhere."""
    return "buyer_" + uuid.uuid4().hex.translate(LETTERS)


def subscription_body(uid=None):
    return {
        "customer_uid": uid or new_uid(),
        "plan": dict(PLAN),
        "payment_method": {"card": dict(CARD)},
        "customer": dict(CUSTOMER),
    }


def payment_body(**more):
    return {"amount": 12000, "name": "단건 결제", "card": dict(CARD), "customer": dict(CUSTOMER), **more}


def key_body(uid=None, **more):
    return {"customer_uid": uid or new_uid(), "card": dict(CARD), "customer": dict(CUSTOMER), **more}


def changed(body, **changes):
    """A copy with `a__b=value` set at a.b, or taken out when the value is GONE."""
    changed_body = copy.deepcopy(body)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = changed_body
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is GONE:
            place.pop(last, None)
        else:
            place[last] = value
    return changed_body


async def cards_in_vault(stack):
    async with stack.ledger._engine.connect() as connection:
        return (await connection.execute(select(func.count()).select_from(card_vault))).scalar_one()


async def was_started(stack, workflow_id):
    try:
        await stack.temporal.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        assert error.status is RPCStatusCode.NOT_FOUND  # noqa: PT017
        return False
    return True


def in_turn(ways, values):
    """Each value by one of the ways, one way after the other: the same line refuses it whichever way it came."""
    together = zip(itertools.cycle(ways), values, strict=False)
    return [pytest.param(*way.values, *value.values, id=f"{way.id}-{value.id}") for way, value in together]


async def traces(stack):
    """All that a request could have left behind: rows, charges, keys, sealed cards."""
    return {
        "subscriptions": await stack.ledger.list_subscriptions(),
        "charges": await stack.ledger.list_charges(),
        "plans": await stack.ledger.list_plans(),
        "books": (await stack.emulator.get("/emulator/books")).json()["charges"],
        "keys": sorted(stack.account().world.store["keys"]),
        "cards": await cards_in_vault(stack),
    }


async def assert_nothing_happened(stack):
    assert await traces(stack) == stack.before


def assert_problem(answer, status=None, code=None, field=None):
    """A problem document that names the field and shows nothing of a card; answers it."""
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text)
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json"
    shown = answer.text + str(dict(answer.headers)).replace(answer.headers.get("date", ""), "")
    assert [secret for secret in SECRETS if secret in without_ids(shown)] == []
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert isinstance(problem["code"], str)
    assert problem["type"] == f"urn:gudok:problem:{problem['code']}"
    assert problem["title"]
    if status is not None:
        assert answer.status_code == status, problem
    if code is not None:
        assert problem["code"] == code, problem
    if field is not None:
        assert field in [error["field"] for error in problem["errors"]], problem
    return problem


def won(totals):
    """The emulator's totals, as far as they are in won."""
    krw = totals["by_currency"].get("KRW", {"amount": 0, "refunded": 0})
    return {"charges": totals["charges"], "charged_twice": totals["charged_twice"], **krw}


def hold(stack, call):
    """Hold the next such call at PortOne's door; answers when it came, and what lets it in."""
    account = stack.account()
    came, go_on, perform = asyncio.Event(), asyncio.Event(), account.perform

    async def held(request, path, work, **options):
        if path == call and not came.is_set():
            came.set()
            await go_on.wait()
        return await perform(request, path, work, **options)

    account.perform = held
    return came, go_on


def encoded(body):
    """JSON with NaN and Infinity, as a careless client writes it."""
    return json.dumps(body, allow_nan=True).encode()


async def refused(stack, path, body, *, headers=None, **expected):
    content = body if isinstance(body, bytes) else encoded(body)
    sent = {"Content-Type": "application/json", **(headers or {})}
    answer = await stack.api.post(path, content=content, headers=sent)
    problem = assert_problem(answer, **expected)
    await assert_nothing_happened(stack)
    return problem
