"""What PortOne's sources leave open is a switch, and each does what its page says."""

from pathlib import Path

import pytest

from billing.emulator import EmulatorSettings, read_switches
from billing.emulator.settings import switches

PAGE = Path(__file__).parents[2] / "docs/reference/emulator.md"


def test_every_switch_is_on_the_page_with_its_default_and_its_meaning():
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    for name, (default, meaning) in switches().items():
        shown = str(default).lower() if isinstance(default, bool) else default
        assert any(
            line.startswith(f"| `{name}` |") and f"**`{shown}`**" in line and meaning in line for line in lines
        ), name


def test_switches_are_given_as_name_and_value():
    read = read_switches(["past_schedule=run", "require_name=true", "lag_seconds=5"])
    settings = EmulatorSettings.model_validate(read)
    assert (settings.past_schedule, settings.require_name, settings.lag_seconds) == ("run", True, 5)
    for wrong in ("imp_secret=x", "no_such=1"):
        with pytest.raises(ValueError, match="is no switch"):
            read_switches([wrong])


async def test_a_getToken_without_a_secret_can_be_answered_with_200(start):
    merchant = await start(missing_credentials="200")
    answer = await merchant.http.post("/users/getToken", json={})
    assert (answer.status_code, answer.json()["code"]) == (200, 1)


async def test_a_charge_of_nobody_can_have_the_newer_code(start):
    merchant = await start(unknown_customer_on_again="-1")
    assert (await merchant.again("m1")).json()["code"] == -1


async def test_a_declined_charge_can_answer_the_failed_payment(start):
    merchant = await start(declined_charge="failed_payment")
    await merchant.issue(last_four="0002")
    told = (await merchant.again("m1")).json()
    assert (told["code"], told["response"]["status"]) == (0, "failed")


async def test_a_charge_can_need_a_name(start):
    merchant = await start(require_name=True)
    await merchant.issue()
    answer = (await merchant.again("m1", name=None)).json()
    assert answer == {"code": 1, "message": '["name"] 파라메터는 필수입니다.', "response": None}


async def test_a_schedule_of_the_past_can_run_at_once(start):
    merchant = await start(past_schedule="run")
    await merchant.issue()
    await merchant.schedule("m1", after=-60)
    assert [row["merchant_uid"] for row in await merchant.charges()] == ["m1"]


async def test_schedule_lists_can_be_arrays_and_times_null(start):
    merchant = await start(schedule_lists="array", times_not_yet="null")
    await merchant.issue()
    row = await merchant.schedule("m1")
    assert (row["executed_at"], row["revoked_at"]) == (None, None)
    now = await merchant.now()
    for path, names in (
        ("/subscribe/payments/schedule", ("schedule_from", "schedule_to")),
        ("/subscribe/payments/schedule/customers/kim", ("from", "to")),
        ("/subscribe/customers/kim/schedules", ("from", "to")),
    ):
        assert await merchant.ok("GET", path, params=dict(zip(names, (now, now + 9000), strict=True))) == [row]


async def test_the_schedules_of_a_deleted_key_can_be_revoked_with_it(start):
    for switch, status in (("stay", "scheduled"), ("revoke", "revoked")):
        merchant = await start(schedules_of_deleted_key=switch)
        await merchant.issue()
        await merchant.schedule("m1")
        await merchant.ok("DELETE", "/subscribe/customers/kim")
        assert (await merchant.ok("GET", "/subscribe/payments/schedule/m1"))["schedule_status"] == status


async def test_old_clients_put_the_token_into_the_query(merchant):
    assert (await merchant.http.get("/users/pg", params={"_token": await merchant.token()})).status_code == 200
    assert (await merchant.http.get("/users/pg", params={"_token": "wrong"})).status_code == 401
