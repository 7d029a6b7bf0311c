"""Lists, versions, API keys and the one subscription of each customer_uid: what is refused, and how it is said."""

import asyncio
import base64

import pytest

from tests.api.requests import (
    assert_nothing_happened,
    assert_problem,
    cards_in_vault,
    key_body,
    new_uid,
    payment_body,
    subscription_body,
    was_started,
)
from tests.patience import patient_client
from tests.stack import API_KEY

# ---------------------------------------------------------------- lists


def cursor(text):
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "after",
    [
        pytest.param("!!!", id="no_base64"),
        pytest.param("a", id="base64_cut_off"),
        pytest.param("", id="empty"),
        pytest.param("é", id="no_ASCII"),
        pytest.param(cursor("yesterday s1"), id="no_instant"),
        pytest.param(base64.urlsafe_b64encode(b"\xff\xfe").decode(), id="no_UTF_8"),
        pytest.param(cursor("2026-01-01T00:00:00 s1"), id="an_instant_without_a_zone"),
        pytest.param(cursor("0001-01-01T00:00:00+14:00 s1"), id="an_instant_before_the_calendar"),
        pytest.param(cursor("9999-12-31T23:59:59-14:00 s1"), id="an_instant_after_the_calendar"),
    ],
)
async def test_a_cursor_this_list_never_gave_is_refused(idle_stack, after):
    answer = await idle_stack.api.get("/v1/subscriptions", params={"after": after})
    assert_problem(answer, status=422, code="invalid_cursor", field="after")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/subscriptions", {"limit": "0"}),
        ("/v1/subscriptions", {"limit": "201"}),
        ("/v1/subscriptions", {"limit": "1e2"}),
        ("/v1/subscriptions", {"status": "happy"}),
        ("/v1/plans/gold", {"version": "one"}),
    ],
)
async def test_a_query_that_is_not_understood_is_refused_by_name(idle_stack, path, query):
    assert_problem(await idle_stack.api.get(path, params=query), status=422, field=next(iter(query)))


@pytest.mark.parametrize("version", ["0", "-1", "9223372036854775808", "9" * 30])
async def test_a_version_no_plan_can_have_is_not_found_or_refused(idle_stack, version):
    answer = await idle_stack.api.get("/v1/plans/gold", params={"version": version})
    assert_problem(answer)
    assert answer.status_code in (404, 422)


# ---------------------------------------------------------------- API keys


def basic(user, password=""):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(None, id="no_header"),
        pytest.param("", id="an_empty_header"),
        pytest.param("Bearer", id="Bearer_alone"),
        pytest.param("Bearer wrong", id="a_wrong_Bearer"),
        pytest.param(f"Bearer {API_KEY}x", id="a_longer_Bearer"),
        pytest.param(f"Bearer {API_KEY[:-1]}", id="a_shorter_Bearer"),
        pytest.param(f"Bearer {API_KEY.upper()}", id="a_Bearer_in_capitals"),
        pytest.param(API_KEY, id="the_key_without_a_scheme"),
        pytest.param(f"Token {API_KEY}", id="another_scheme"),
        pytest.param(basic("wrong"), id="a_wrong_Basic_user"),
        pytest.param(basic("user", API_KEY), id="the_key_as_Basic_password"),
        pytest.param(basic(""), id="an_empty_Basic_user"),
        pytest.param("Basic", id="Basic_alone"),
        pytest.param("Basic !!!", id="Basic_that_is_no_base64"),
        pytest.param("Basic é", id="Basic_that_is_no_ASCII"),
        pytest.param("Basic " + base64.b64encode(b"\xff:").decode(), id="Basic_that_is_no_UTF_8"),
        pytest.param("Bearer é", id="Bearer_that_is_no_ASCII"),
    ],
)
async def test_without_the_right_key_nothing_is_answered_but_401(idle_stack, sent):
    headers = {} if sent is None else {b"Authorization": sent.encode("latin-1")}
    uid = new_uid()
    async with patient_client(idle_stack.api.base_url, headers=headers) as stranger:
        for method, path, body in (
            ("POST", "/v1/subscriptions", subscription_body(uid)),
            ("POST", "/v1/subscriptions", {}),
            ("GET", "/v1/subscriptions", None),
            ("GET", f"/v1/subscriptions/{uid}", None),
            ("GET", f"/v1/subscriptions/{uid}/charges", None),
            ("POST", f"/v1/subscriptions/{uid}/cancel", {}),
            ("POST", "/v1/payments", payment_body()),
            ("GET", "/v1/payments/pnobody", None),
            ("POST", "/v1/payments/pnobody/refunds", {}),
            ("POST", "/v1/billing-keys", key_body(uid)),
            ("GET", f"/v1/billing-keys/{uid}", None),
            ("DELETE", f"/v1/billing-keys/{uid}", None),
            ("POST", "/v1/plans", {}),
            ("GET", "/v1/plans", None),
            ("GET", "/v1/plans/gold", None),
        ):
            answer = await stranger.request(method, path, json=body)
            assert_problem(answer, status=401, code="unauthorized")
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert API_KEY not in answer.text
    assert not await was_started(idle_stack, f"subscription/{uid}")
    await assert_nothing_happened(idle_stack)


@pytest.mark.parametrize(
    "sent",
    [f"Bearer {API_KEY}", f"bearer {API_KEY}", basic(API_KEY), basic(API_KEY, "anything")],
)
async def test_the_right_key_works_as_bearer_and_as_the_user_of_basic(idle_stack, sent):
    answer = await idle_stack.api.get("/v1/subscriptions", headers={"Authorization": sent})
    assert (answer.status_code, answer.json()["next"]) == (200, None)


# ---------------------------------------------------------------- one subscription for each customer_uid


async def test_a_second_start_under_a_running_customer_uid_is_refused(stack):
    uid = new_uid()
    await stack.start(uid)
    answer = await stack.api.post("/v1/subscriptions", json=subscription_body(uid))
    problem = assert_problem(answer, status=409, code="subscription_running", field="customer_uid")
    assert uid in problem["run_url"]
    assert await cards_in_vault(stack) == 0
    assert await stack.agree(uid) == 1


async def test_of_two_starts_at_once_one_is_refused_and_one_charge_is_made(stack):
    uid = new_uid()
    answers = await asyncio.gather(
        *(stack.api.post("/v1/subscriptions", json=subscription_body(uid)) for _ in range(2))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert len(await stack.ledger.list_subscriptions()) == 1
    assert await cards_in_vault(stack) == 0
    assert await stack.agree(uid) == 1
