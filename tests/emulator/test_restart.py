"""What a kill leaves behind is all there after the next start, and no card data is in it.

The emulators here are never closed in an orderly way: the next one starts on the file as it stands.
"""

import logging
import shutil

import httpx
import pytest

from billing.emulator import EmulatorSettings, create_emulator


@pytest.fixture
def killed(tmp_path, start):
    """Go on from a copy of the state file, made while the first emulator still runs: what a kill would have left."""

    async def _killed(**settings):
        after = tmp_path / "after"
        after.mkdir()
        for path in tmp_path.glob("state.db*"):
            shutil.copy(path, after / path.name)
        return await start(state_file=after / "state.db", **settings)

    return _killed


@pytest.fixture
def state_file(tmp_path):
    """A state file that does not exist yet."""
    return tmp_path / "state.db"


async def test_charges_keys_tokens_faults_and_the_clock_are_still_there(start, state_file, killed):
    first = await start(state_file=state_file)
    await first.issue("kim", "0004")
    await first.advance(1000)
    await first.advance(500, "kim")
    answers = [await first.again(f"m{number}") for number in range(3)]
    await first.fault("500_before", path="onetime", count=2)
    await first.call("POST", "/subscribe/payments/onetime", {})
    await first.ok("POST", "/payments/prepare", {"merchant_uid": "p1", "amount": 100})
    second = await killed()
    assert await second.token() == await first.token()
    assert await second.charges() == await first.charges() != []
    for path in ("/subscribe/customers/kim", "/payments/find/m0", "/payments/prepare/p1"):
        assert await second.ok("GET", path) == await first.ok("GET", path)
    assert [answer.json()["code"] for answer in answers] == [-1, -1, 0]
    assert (await second.again("m3")).json()["code"] == 0
    assert await second.control("GET", "faults") == await first.control("GET", "faults")
    clock = await second.control("GET", "clock")
    assert (clock["offset_seconds"], clock["customers"]) == (1000, {"kim": 500})
    await second.fault("429", path="cancel")
    assert len(await second.control("GET", "faults")) == 2


async def test_rows_keep_their_order_although_the_first_changed_last(start, state_file, killed):
    first = await start(state_file=state_file)
    await first.issue()
    for number in range(3):
        await first.again(f"m{number}")
    await first.ok("POST", "/payments/cancel", {"merchant_uid": "m0"})
    second = await killed()
    assert [row["merchant_uid"] for row in await second.charges()] == ["m0", "m1", "m2"]


async def test_schedules_that_wait_run_after_the_restart(start, state_file, killed, receiver):
    first = await start(state_file=state_file, webhook_url=receiver.url)
    await first.issue()
    await first.schedule("m1", after=3600)
    await first.schedule("m2", after=3600)
    await first.ok("POST", "/subscribe/payments/unschedule", {"merchant_uid": "m2"})
    second = await killed(webhook_url=receiver.url)
    assert await second.advance(3600) == ["m1"]
    assert receiver.seen == [("m1", "paid")]


async def test_a_late_approval_comes_after_the_restart(start, state_file, killed):
    first = await start(state_file=state_file)
    await first.issue(last_four="0006")
    await first.again("m1")
    second = await killed()
    assert await second.advance(601) == ["m1"]
    assert len(await second.charges()) == 1


async def test_a_webhook_that_had_not_left_leaves_after_the_restart(start, state_file, killed, receiver):
    first = await start(state_file=state_file, webhook_url=receiver.url)
    await first.issue()
    receiver.gate.clear()
    await first.again("m1")
    await receiver.have(1)
    second = await killed(webhook_url=receiver.url)
    await receiver.have(2)
    assert receiver.seen == [("m1", "paid")] * 2
    receiver.gate.set()
    assert len(await second.charges()) == 1


async def test_a_webhook_to_be_repeated_is_repeated_after_the_restart(start, state_file, killed, receiver):
    receiver.statuses = [500]
    first = await start(state_file=state_file, webhook_url=receiver.url, webhook_retries=True)
    await first.issue()
    await first.schedule("m1", after=60)
    await first.advance(60)
    second = await killed(webhook_url=receiver.url, webhook_retries=True)
    assert len(receiver.received) == 1
    await second.advance(61)
    assert len(receiver.received) == 2


async def test_what_was_charged_when_the_answer_was_lost_is_on_disk(start, state_file, killed):
    first = await start(state_file=state_file)
    await first.issue(last_four="0005")
    with pytest.raises(ConnectionError):
        await first.again("m1")
    second = await killed()
    assert [row["merchant_uid"] for row in await second.charges()] == ["m1"]
    assert (await second.again("m1")).json()["code"] == 1


async def test_no_card_data_is_in_the_state_file_or_in_a_log(start, state_file, make_card, caplog):
    caplog.set_level(logging.DEBUG)
    merchant = await start(state_file=state_file)
    secret = make_card("7789", expiry="2091-07", birth="830417", pwd_2digit="93", cvc="9517")
    at = await merchant.now() + 60
    order = {"merchant_uid": "m1", "amount": 100, "name": "n"}
    await merchant.ok("POST", "/subscribe/customers/kim", secret)
    await merchant.ok("POST", "/subscribe/payments/onetime", order | secret | {"customer_uid": "lee"})
    items = [order | {"merchant_uid": "m2", "schedule_at": at}]
    await merchant.ok("POST", "/subscribe/payments/schedule", {"customer_uid": "park", "schedules": items} | secret)
    await merchant.call("POST", "/subscribe/customers/bad", secret | {"expiry": "2001-07"})
    window = {"customer_uid": "win", "card_number": secret["card_number"], "expiry": "2091-07"}
    await merchant.control("POST", "window/billing-key", window)
    await merchant.advance(60)
    kept = b"".join(path.read_bytes() for path in state_file.parent.glob("state.db*"))
    assert b"7789" in kept
    number = secret["card_number"]
    for value in (number, number.replace("-", ""), number[5:14], "2091-07", "830417", "9517"):
        assert value.encode() not in kept
        assert value not in caplog.text
    for name in ("pwd_2digit", "birth", "expiry", "cvc"):
        assert name.encode() not in kept


async def test_without_a_lifespan_what_is_due_runs_when_a_call_comes(make_card):
    app = create_emulator(EmulatorSettings())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://emulator") as http:
        world = app.state.account.world
        key = {"imp_key": "imp_apikey", "imp_secret": EmulatorSettings().imp_secret}
        token = (await http.post("/users/getToken", json=key)).json()["response"]["access_token"]
        http.headers["Authorization"] = token
        await http.post("/subscribe/customers/kim", json=make_card())
        item = {"merchant_uid": "m1", "schedule_at": int(world.clock.now()) + 60, "amount": 100}
        await http.post("/subscribe/payments/schedule", json={"customer_uid": "kim", "schedules": [item]})
        world.advance(60, None)
        row = (await http.get("/subscribe/payments/schedule/m1")).json()["response"]
    await app.state.account.timeline.aclose()
    assert row["payment_status"] == "paid"
