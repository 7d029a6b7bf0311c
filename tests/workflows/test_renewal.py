"""A subscription renews, period after period, whatever becomes of the webhooks."""

from datetime import datetime, timedelta

import pytest

from billing.ledger import LedgerUnavailableError


async def test_a_lost_webhook_still_renews_on_time(stack):
    uid = await stack.start()
    await stack.fault(path="webhook", kind="drop_webhook", count=1, customer_uid=uid)
    await stack.advance(uid, days=33)
    assert await stack.agree(uid) == 2
    assert (await stack.subscription(uid))["status"] == "active"
    assert [hook["state"] for hook in (await stack.emulator.get("/emulator/webhooks")).json()].count("dropped") == 1


@pytest.mark.soak
async def test_with_every_webhook_lost_every_cycle_still_settles(stack):
    await stack.fault(path="webhook", kind="drop_webhook")
    uid = await stack.start()
    await stack.advance(uid, days=366)
    assert await stack.agree(uid) == 13
    assert await stack.ledger.list_webhooks() == []


async def test_a_webhook_settles_the_cycle_at_its_due_instant(stack):
    uid = await stack.start()
    await stack.advance(uid, days=32)
    second = (await stack.charges(uid))[1]
    assert second["state"] == "paid"
    row = next(row for row in await stack.ledger.list_webhooks(second["merchant_uid"]))
    assert (row.disposition, row.count) == ("applied", 1)
    charge = await stack.ledger.get_charge(second["merchant_uid"])
    # The first deadline looks after three minutes: it was the webhook that settled it.
    assert charge.settled_at - charge.due_at < timedelta(minutes=3)


async def test_webhooks_that_come_twice_change_nothing(stack):
    await stack.fault(path="webhook", kind="duplicate_webhook")
    uid = await stack.start()
    await stack.advance(uid, days=95)
    assert await stack.agree(uid) == 4
    rows = await stack.ledger.list_webhooks()
    assert {row.count for row in rows} == {2}


@pytest.mark.soak
async def test_a_year_and_a_half_of_monthly_billing_runs_clean(stack):
    # Ten of them, and ten years of days, are `make years`.
    uid = await stack.start()
    await stack.advance(uid, days=18 * 30.5)
    assert await stack.agree(uid) == 19
    numbers = [charge["merchant_uid"] for charge in await stack.charges(uid)]
    assert len(numbers) == len(set(numbers)) == 20


@pytest.mark.soak
async def test_a_fixed_term_ends_by_itself_as_expired(stack):
    plan = {"name": "3개월권", "amount": 5000, "interval": "month", "max_cycles": 3}
    uid = await stack.start(plan=plan)
    await stack.advance(uid, days=120)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["end_reason"]) == ("expired", "the fixed term is done")
    assert await stack.agree(uid) == 3


@pytest.mark.soak
async def test_a_yearly_plan_waits_beyond_the_horizon_before_it_is_scheduled(stack):
    plan = {"name": "연간권", "amount": 99000, "interval": "year"}
    uid = await stack.start(plan=plan)
    number = (await stack.snapshot(uid))["merchant_uid"]
    assert await stack.portone.find_schedule(number) is None
    await stack.advance(uid, days=300)
    assert (await stack.portone.find_schedule(number)).schedule_status == "scheduled"
    await stack.advance(uid, days=70)
    assert await stack.agree(uid) == 2


async def activities_of(stack, uid):
    history = await stack.handle(uid).fetch_history()
    names = [event.activity_task_scheduled_event_attributes.activity_type.name for event in history.events]
    return [name for name in names if name]


async def test_the_call_that_registers_the_next_charge_writes_that_it_stands(stack):
    uid = await stack.start()
    await stack.settled(uid)
    asked = await activities_of(stack, uid)
    assert asked[-2:] == ["record", "register_schedule"], "nothing is written after it"
    shown = await stack.subscription(uid)
    assert shown["cycle"]["state"] == "registered"
    told = (await stack.handle(uid).query("__temporal_workflow_metadata")).current_details
    assert "scheduled at PortOne" in told
    (planned,) = [row for row in await stack.charges(uid) if row["state"] == "planned"]
    row = await stack.portone.find_schedule(planned["merchant_uid"])
    assert datetime.fromisoformat(planned["due_at"]).timestamp() == row.schedule_at
    await stack.advance(uid, days=33)
    assert await stack.agree(uid) == 2


async def test_where_the_ledger_is_away_when_a_charge_is_registered_it_is_shown_later(stack, monkeypatch):
    record, refused = stack.ledger.record_registered, []

    async def away_once(registered):
        if not refused:
            refused.append(registered)
            raise LedgerUnavailableError("the database is away")
        return await record(registered)

    monkeypatch.setattr(stack.ledger, "record_registered", away_once)
    uid = await stack.start()
    await stack.settled(uid)
    assert refused
    assert (await activities_of(stack, uid))[-2:] == ["register_schedule", "record"]
    assert (await stack.subscription(uid))["cycle"]["state"] == "registered"
    await stack.advance(uid, days=33)
    assert await stack.agree(uid) == 2


async def test_what_is_written_after_a_call_that_died_once_it_had_written_is_newer(stack, monkeypatch):
    record, died = stack.ledger.record_registered, []

    async def dies_after_it(registered):
        recorded = await record(registered)
        if not died:
            died.append(registered)
            raise RuntimeError("the worker is gone")
        return recorded

    monkeypatch.setattr(stack.ledger, "record_registered", dies_after_it)
    await stack.fault(path="schedule_get", kind="frozen", count=1)
    uid = await stack.start()
    await stack.settled(uid)
    assert died
    # What follows is written by a state that does not know what was written.
    await stack.order(uid, "cancel")
    assert (await stack.subscription(uid))["cancel_at_period_end"] is True
    await stack.advance(uid, days=40)
    assert (await stack.subscription(uid))["status"] == "canceled"
    assert await stack.agree(uid) == 1


async def test_what_a_call_writes_late_of_a_charge_that_was_stopped_meanwhile_is_not_shown(stack, monkeypatch):
    record, stood = stack.ledger.record_registered, []

    async def heard(registered):
        stood.append(registered)
        return await record(registered)

    monkeypatch.setattr(stack.ledger, "record_registered", heard)
    uid = await stack.start()
    await stack.settled(uid)
    await stack.order(uid, "cancel", at="now")
    shown, charges = await stack.subscription(uid), await stack.charges(uid)
    assert await record(stood[0]) is False
    assert await stack.subscription(uid) == shown
    assert await stack.charges(uid) == charges


async def test_a_trial_by_card_issues_and_schedules_in_one_call(stack):
    plan = {"name": "체험", "amount": 9900, "interval": "month", "trial_days": 14}
    uid = await stack.start(plan=plan)
    shown = await stack.subscription(uid)
    assert shown["status"] == "trialing"
    assert shown["payment_method"]["card"].endswith("****7890")
    names = await activity_names(stack, uid)
    assert "register_schedule" in names
    assert "issue_billing_key" not in names
    assert (await stack.books(uid))["totals"]["charges"] == 0
    await stack.advance(uid, days=15)
    assert await stack.agree(uid) == 1
    assert (await stack.subscription(uid))["status"] == "active"


@pytest.mark.soak
async def test_a_key_issued_in_the_window_is_billed_without_a_card(stack):
    window = {"customer_uid": "window_1", "card_number": "4518-4212-3456-1111", "pg": "kakaopay"}
    assert (await stack.emulator.post("/emulator/window/billing-key", json=window)).status_code == 201
    await stack.start("window_1", payment_method={"billing_key": True})
    await stack.advance("window_1", days=32)
    assert await stack.agree("window_1") == 2
    assert (await stack.subscription("window_1"))["payment_method"]["pg_provider"] == "kakaopay"


async def activity_names(stack, uid):
    events = (await stack.handle(uid).fetch_history()).events
    return [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
