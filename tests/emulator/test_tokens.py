"""Tokens: by real time, or on the emulator's clock where that is wanted (facts.md 1.4, 1.5)."""

import time
from types import SimpleNamespace

import pytest

from billing.emulator import clock, tokens

KEY = {"imp_key": "imp_apikey"}


@pytest.fixture
async def standing(start, monkeypatch):
    """A merchant for whom no time passes but what is advanced, tokens' lives included."""
    at = int(time.time())
    monkeypatch.setattr(clock, "time", SimpleNamespace(time=lambda: at))
    return await start(auth_time="clock")


async def test_a_wrong_secret_is_401(merchant):
    answer = await merchant.http.post("/users/getToken", json=KEY | {"imp_secret": "wrong"})
    assert answer.status_code == 401
    assert answer.json() == {"code": -1, "message": "Unauthorized", "response": None}


async def test_a_missing_secret_is_named(merchant):
    answer = await merchant.http.post("/users/getToken", json=KEY)
    assert (answer.status_code, answer.json()["message"]) == (200, "imp_key, imp_secret 파라메터가 누락되었습니다.")


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


async def test_a_client_that_keeps_its_token_survives_a_month_in_a_second(merchant):
    first, before = await _token(merchant), time.time()
    await merchant.advance(31 * 86400)
    await merchant.ok("GET", "/users/pg", headers={"Authorization": first["access_token"]})
    again = await _token(merchant)
    assert (again["access_token"], again["expired_at"]) == (first["access_token"], first["expired_at"])
    assert before - 1 <= again["now"] <= time.time()


async def test_a_token_taken_in_a_moved_world_ends_by_the_clients_own_clock(merchant):
    await merchant.advance(31 * 86400)
    before = time.time()
    told = await _token(merchant)
    assert before - 1 <= told["now"] <= time.time()
    assert told["expired_at"] - told["now"] == 1800


async def test_by_real_time_a_token_ends_extends_and_is_replaced_as_documented(merchant, monkeypatch):
    real = SimpleNamespace(now=time.time())
    monkeypatch.setattr(tokens, "time", SimpleNamespace(time=lambda: real.now))
    first = await _token(merchant)
    real.now += 1745
    assert (await _token(merchant))["expired_at"] == first["expired_at"] + 300
    real.now += 360
    answer = await merchant.call("GET", "/users/pg", headers={"Authorization": first["access_token"]})
    assert answer.status_code == 401
    assert (await _token(merchant))["access_token"] != first["access_token"]


async def test_a_token_of_a_clock_that_was_ahead_does_not_live_for_ever(start, tmp_path):
    state = tmp_path / "state.db"
    ahead = await start(state_file=state, auth_time="clock")
    await ahead.advance(31 * 86400)
    old = await _token(ahead)
    ahead.app.state.account.world.store.close()
    merchant = await start(state_file=state)
    answer = await merchant.call("GET", "/users/pg", headers={"Authorization": old["access_token"]})
    assert answer.status_code == 401
    assert (await _token(merchant))["expired_at"] < time.time() + 1801


async def _token(merchant):
    secret = merchant.app.state.account.settings.imp_secret
    return (await merchant.http.post("/users/getToken", json=KEY | {"imp_secret": secret})).json()["response"]
