"""What PortOne's sources leave open is a switch, and each does what its page says."""

import pytest

from billing.emulator import EmulatorSettings, Family, read_switches
from billing.emulator.settings import source_of, switches, switches_as


def test_every_switch_names_the_source_that_its_default_follows():
    for name, (_, meaning) in switches().items():
        assert meaning.endswith("."), name
        assert source_of(name).endswith("."), name


@pytest.mark.parametrize("family", Family)
async def test_one_switch_sets_a_family_and_a_switch_beside_it_wins(start, family):
    merchant = await start(**{"as": family.value})
    settings = merchant.app.state.account.settings
    assert switches_as(family)
    assert {name: getattr(settings, name) for name in switches_as(family)} == switches_as(family)
    unknown = await merchant.call("GET", "/subscribe/customers/nobody")
    assert unknown.status_code == {"seen": 200, "schema": 404}[family.value]
    beside = await start(**{"as": family.value, "unknown_customer": "404", "unknown_customer_on_again": "1"})
    assert (await beside.call("GET", "/subscribe/customers/nobody")).status_code == 404
    assert (await beside.again("m1")).json()["code"] == 1


async def test_a_family_is_set_at_a_reset_and_an_unknown_one_is_refused(merchant):
    await merchant.control("POST", "reset", {"as": "seen"})
    assert (await merchant.call("GET", "/subscribe/customers/nobody")).status_code == 200
    answer = await merchant.http.post("/emulator/reset", json={"as": "believed"})
    assert answer.status_code == 422


@pytest.mark.parametrize("key", ["imp_apikey", "imp_apiKey"])
async def test_the_guides_key_is_known_however_it_is_spelt(merchant, key):
    secret = merchant.app.state.account.settings.imp_secret
    answer = await merchant.http.post("/users/getToken", json={"imp_key": key, "imp_secret": secret})
    assert answer.json()["response"]["access_token"]


async def test_an_account_with_a_key_of_its_own_does_not_know_the_guides(start):
    merchant = await start(imp_key="1234")
    for key in ("imp_apikey", "imp_apiKey", "IMP_APIKEY"):
        secret = merchant.app.state.account.settings.imp_secret
        answer = await merchant.http.post("/users/getToken", json={"imp_key": key, "imp_secret": secret})
        assert answer.status_code == 401


def test_switches_are_given_as_name_and_value():
    read = read_switches(["past_schedule=run", "require_name=true", "lag_seconds=5"])
    settings = EmulatorSettings.model_validate(read)
    assert (settings.past_schedule, settings.require_name, settings.lag_seconds) == ("run", True, 5)
    for wrong in ("imp_secret=x", "no_such=1"):
        with pytest.raises(ValueError, match="is no switch"):
            read_switches([wrong])


async def test_a_getToken_without_a_secret_can_be_answered_with_400(start):
    merchant = await start(missing_credentials="400")
    answer = await merchant.http.post("/users/getToken", json={})
    assert (answer.status_code, answer.json()["code"]) == (400, 1)


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
