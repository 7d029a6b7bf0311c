"""Tokens on the emulator's clock (facts.md 1.4, 1.5)."""

import time
from types import SimpleNamespace

import pytest

from billing.emulator import clock

KEY = {"imp_key": "imp_apikey"}


@pytest.fixture
def standing(merchant, monkeypatch):
    """A merchant for whom no time passes but what is advanced."""
    at = int(time.time())
    monkeypatch.setattr(clock, "time", SimpleNamespace(time=lambda: at))
    return merchant


async def test_a_wrong_secret_is_401(merchant):
    answer = await merchant.http.post("/users/getToken", json=KEY | {"imp_secret": "wrong"})
    assert answer.status_code == 401
    assert answer.json() == {"code": -1, "message": "Unauthorized", "response": None}


async def test_a_missing_secret_is_named(merchant):
    answer = await merchant.http.post("/users/getToken", json=KEY)
    assert (answer.status_code, answer.json()["message"]) == (400, "imp_key, imp_secret 파라메터가 누락되었습니다.")


@pytest.mark.parametrize(
    "headers", [{"X": "y"}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer"}, {"X-ImpTokenHeader": "no"}]
)
async def test_a_call_without_the_living_token_is_401(merchant, headers):
    answer = await merchant.call("GET", "/users/pg", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, -1)
    assert answer.headers["www-authorize"] == "iamport"


async def test_a_token_opens_as_bearer_raw_or_in_the_legacy_header(merchant):
    token = await merchant.token()
    for headers in ({"Authorization": f"Bearer {token}"}, {"Authorization": token}, {"X-ImpTokenHeader": token}):
        await merchant.ok("GET", "/users/pg", headers=headers)
    both = {"Authorization": "Bearer wrong", "X-ImpTokenHeader": token}
    assert (await merchant.call("GET", "/users/pg", headers=both)).status_code == 401


async def test_a_token_lives_thirty_minutes_and_is_answered_again_until_then(standing):
    merchant = standing
    first = await _token(merchant)
    assert first["expired_at"] - first["now"] == 1800
    await merchant.advance(1700)
    again = await _token(merchant)
    assert (again["access_token"], again["expired_at"]) == (first["access_token"], first["expired_at"])
    assert again["now"] - first["now"] == 1700
    await merchant.advance(100)
    answer = await merchant.call("GET", "/users/pg", headers={"Authorization": first["access_token"]})
    assert answer.status_code == 401
    assert (await _token(merchant))["access_token"] != first["access_token"]


async def test_in_its_last_minute_a_token_gets_five_minutes_more(standing):
    merchant = standing
    first = await _token(merchant)
    await merchant.advance(1745)
    again = await _token(merchant)
    assert again["access_token"] == first["access_token"]
    assert again["expired_at"] == first["expired_at"] + 300
    await merchant.advance(200)
    await merchant.ok("GET", "/users/pg", headers={"Authorization": first["access_token"]})


async def test_a_token_is_had_by_form_too(merchant):
    secret = merchant.app.state.account.settings.imp_secret
    answer = await merchant.http.post("/users/getToken", data=KEY | {"imp_secret": secret})
    assert answer.json()["response"]["access_token"] == await merchant.token()


async def _token(merchant):
    secret = merchant.app.state.account.settings.imp_secret
    return (await merchant.http.post("/users/getToken", json=KEY | {"imp_secret": secret})).json()["response"]
