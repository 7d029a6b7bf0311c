"""An emulator that begins anew: empty, with the settings it is given, unless its account is kept in a file."""


async def test_a_reset_leaves_nothing_of_what_was(merchant):
    await merchant.issue()
    await merchant.again("m1")
    await merchant.schedule("m2")
    await merchant.fault("401", path="cancel")
    await merchant.advance(86_400, "kim")
    await merchant.control("POST", "reset", {})
    assert await merchant.charges() == []
    for what in ("faults", "schedules", "webhooks"):
        assert await merchant.control("GET", what) == []
    clock = await merchant.control("GET", "clock")
    assert (clock["offset_seconds"], clock["next_due"], clock["customers"]) == (0, None, {})
    await merchant.issue()
    assert (await merchant.again("m1")).json()["code"] == 0


async def test_a_reset_takes_settings_and_refuses_what_is_none(merchant):
    await merchant.control("POST", "reset", {"unknown_customer_on_again": "-1"})
    assert (await merchant.again("m1")).json()["code"] == -1
    for wrong in ({"no_such": 1}, {"past_schedule": "perhaps"}, {"lag_seconds": -1}):
        assert (await merchant.http.post("/emulator/reset", json=wrong)).status_code == 422
    assert (await merchant.again("m1")).json()["code"] == -1


async def test_what_a_file_keeps_is_not_reset(start, tmp_path):
    merchant = await start(state_file=tmp_path / "state.db")
    await merchant.issue()
    assert (await merchant.http.post("/emulator/reset", json={})).status_code == 409
    await merchant.again("m1")
    assert len(await merchant.charges()) == 1
    in_memory = await start()
    elsewhere = {"state_file": str(tmp_path / "other.db")}
    assert (await in_memory.http.post("/emulator/reset", json=elsewhere)).status_code == 409
    assert not (tmp_path / "other.db").exists()


async def test_schedules_run_by_themselves_after_a_reset(merchant, receiver):
    await merchant.control("POST", "reset", {"webhook_url": receiver.url})
    await merchant.issue()
    await merchant.schedule("m1", after=1)
    await receiver.have(1)
    assert receiver.seen == [("m1", "paid")]
