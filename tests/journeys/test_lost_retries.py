"""Retries at their limits: the card schemes' budget, answers that are lost, PGs that book nothing again."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.journeys.owing import AMOUNT, GOOD, SOFT, SOFT_TWICE, at, attempts, begin, declined, method, number

# ---------------------------------------------------------------- the schemes' limit


@pytest.mark.soak
async def test_a_card_is_tried_at_most_15_times_in_30_days_whatever_subscriptions_it_pays_for(stack):
    every_day = {"after_days": [1] * 9, "grace_days": 30, "end_action": "leave"}
    subscriptions = []
    for _ in range(2):
        more = {"customer": {"id": "one_buyer"}, "dunning": every_day}
        plan = {"name": "월간 이용권", "amount": AMOUNT, "interval": "month", "trial_days": 1}
        subscriptions.append(await stack.start(card=number(SOFT), plan=plan, **more))
    for _ in range(12):
        for uid in subscriptions:
            await stack.advance(uid, days=1)
    made = []
    for uid in subscriptions:
        (charge,) = await stack.charges(uid)
        rows = await stack.portone.find_all_payments(charge["merchant_uid"])
        made += [datetime.fromtimestamp(row.failed_at, UTC) for row in rows]
    assert len(made) == 15
    refused = await stack.order(subscriptions[0], "retry", expect=409)
    assert refused["code"] == "card_tried_too_often"
    # Nor does the same card under another name bring more attempts: its retry waits as well.
    answer = await stack.order(subscriptions[1], "payment-method", payment_method=method(SOFT))
    assert answer["order"]["charge"] == "none_planned"
    for uid, waits in [(uid, await stack.subscription(uid)) for uid in subscriptions]:
        assert at(waits["cycle"]["next_charge_at"]) - min(made) >= timedelta(days=30), uid
    # A card of its own is nobody else's business.
    answer = await stack.order(subscriptions[0], "payment-method", payment_method=method(GOOD))
    assert answer["status"] == "active"
    assert await stack.agree(subscriptions[0]) == 1


# ---------------------------------------------------------------- answers that are lost


async def test_a_retry_whose_answer_is_lost_was_paid_once_and_is_found(stack):
    uid, seen = await declined(stack, SOFT)
    stack.account().world.store["keys"][uid]["last_four"] = GOOD
    await stack.fault(path="retry", kind="drop_after", count=1)
    answer = await stack.order(uid, "retry")
    assert (answer["status"], answer["order"]["charge"]) == ("active", "paid")
    assert seen.paths("retry", "again") == ["retry"]
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_a_retry_whose_answer_is_lost_and_was_declined_is_found_too(stack):
    uid, seen = await declined(stack, SOFT)
    await stack.fault(path="retry", kind="500_after", count=1)
    await stack.order(uid, "retry", expect=402)
    assert seen.paths("retry", "again") == ["retry"]
    assert len(await attempts(stack, uid)) == 2
    assert (await stack.subscription(uid))["cycle"]["failed_attempts"] == 2


async def test_a_retry_that_never_arrived_is_no_decline_and_is_sent_again_under_the_same_number(stack):
    uid, seen = await declined(stack, SOFT, after_days=[10])
    stack.quick()
    stack.account().world.store["keys"][uid]["last_four"] = GOOD
    await stack.fault(path="retry", kind="500_before", count=1)
    pending = await stack.order(uid, "retry", expect=202)
    assert pending["status"] == "pending"
    shown = await stack.subscription(uid)
    assert shown["cycle"]["failed_attempts"] == 1
    await stack.advance(uid, minutes=20)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["number"]) == ("active", 2)
    assert seen.paths("retry", "again") == ["retry", "retry"]
    assert await stack.agree(uid) == 1
    assert [row["state"] for row in await stack.charges(uid)] == ["paid", "planned"]


async def test_a_worker_that_dies_with_the_retry_sent_charges_once(stack):
    uid, seen = await declined(stack, SOFT)
    stack.account().world.store["keys"][uid]["last_four"] = GOOD
    sent = stack.portone.retry_schedule

    async def sent_and_died(merchant_uid):
        await sent(merchant_uid)
        stack.portone.retry_schedule = sent
        raise RuntimeError("killed with the request on its way")

    stack.portone.retry_schedule = sent_and_died
    answer = await stack.order(uid, "retry")
    assert answer["order"]["charge"] == "paid"
    assert seen.paths("retry", "again") == ["retry"]
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_a_booking_of_the_retry_whose_answer_is_lost_stands_once(stack):
    uid, _ = await begin(stack, SOFT_TWICE)
    await stack.fault(path="reschedule", kind="drop_after", count=1)
    await stack.fault(path="reschedule", kind="500_before", count=1)
    await stack.advance(uid, days=7)
    assert (await stack.subscription(uid))["status"] == "active"
    assert await attempts(stack, uid) == [("declined", 0), ("declined", 1), ("paid", 4)]
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_where_portone_books_no_retry_we_charge_it_on_its_day(stack):
    uid, seen = await begin(stack, SOFT_TWICE, after_days=[2, 3])
    await stack.fault(path="reschedule", kind="500_before")
    await stack.advance(uid, days=7)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["number"]) == ("active", 2)
    assert await attempts(stack, uid) == [("declined", 0), ("declined", 2), ("paid", 5)]
    assert seen.paths("again") == ["again", "again"]
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_while_an_earlier_payment_is_unfinished_nothing_else_is_charged_for_the_period(stack):
    uid, seen = await declined(stack, SOFT)
    before = await stack.subscription(uid)
    payments = stack.account().world.store["payments"]
    (failed,) = [key for key, row in payments.items() if row["merchant_uid"] == before["cycle"]["merchant_uid"]]
    payments[failed] = {**payments[failed], "status": "ready"}
    for path, body in (("retry", {}), ("payment-method", {"payment_method": method(GOOD)})):
        refused = await stack.order(uid, path, expect=409, **body)
        assert refused["code"] == "charge_unfinished"
        shown = await stack.subscription(uid)
        assert shown["cycle"]["next_charge_at"] == before["cycle"]["next_charge_at"]
        assert shown["payment_method"] == before["payment_method"]
    assert seen.paths("again", "retry") == []
    assert list(stack.account().world.store["keys"]) == [uid]
    # It fails after all: the retry that was planned runs on its day.
    payments[failed] = {**payments[failed], "status": "failed"}
    await stack.advance(uid, days=2)
    assert [day for _, day in await attempts(stack, uid)] == [0, 1]


@pytest.mark.soak
async def test_a_retry_that_somebody_runs_in_the_console_spends_no_budget(stack):
    uid, _ = await declined(stack, SOFT, after_days=[4, 4])
    number_ = (await stack.subscription(uid))["cycle"]["merchant_uid"]
    await stack.settled(uid)
    done = await stack.emulator.post("/emulator/console", json={"act": "execute", "merchant_uid": number_})
    assert done.status_code == 200, done.text
    await stack.advance(uid, days=9)
    assert [day for _, day in await attempts(stack, uid)] == [0, 0, 4, 8]
    assert (await stack.subscription(uid))["status"] == "canceled"
    assert await stack.agree(uid) == 0


# ---------------------------------------------------------------- PGs


@pytest.mark.soak
async def test_a_pg_that_books_nothing_again_is_charged_by_us_under_the_same_number(stack):
    uid, seen = await declined(stack, SOFT_TWICE, window="tosspay_v2", after_days=[2, 3])
    await stack.order(uid, "retry", expect=402)
    assert (await stack.subscription(uid))["cycle"]["failed_attempts"] == 2
    await stack.advance(uid, days=3)
    assert (await stack.subscription(uid))["status"] == "active"
    assert await attempts(stack, uid) == [("declined", 0), ("declined", 0), ("paid", 2)]
    assert seen.paths("again", "retry", "reschedule") == ["again", "again"]
    assert await stack.agree(uid) == 1
    assert len({row["merchant_uid"] for row in await stack.charges(uid) if row["cycle"] == 1}) == 1


@pytest.mark.soak
async def test_naver_pay_gets_another_number_for_every_attempt_by_plan_or_by_hand(stack):
    uid, seen = await declined(stack, SOFT_TWICE, window="naverpay", after_days=[2, 3])
    await stack.order(uid, "retry", expect=402)
    await stack.advance(uid, days=3)
    assert (await stack.subscription(uid))["status"] == "active"
    states = [row["state"] for row in await stack.charges(uid) if row["cycle"] == 1]
    assert sorted(states) == ["declined", "declined", "paid"]
    for row in await stack.charges(uid):
        assert len(await stack.portone.find_all_payments(row["merchant_uid"])) <= 1
    assert "reschedule" not in seen.paths()
    assert await stack.agree(uid) == 1


# ---------------------------------------------------------------- consent and rolling


@pytest.mark.soak
async def test_retries_and_another_card_need_no_second_consent_to_the_same_charge(stack):
    plan = {
        "name": "월간 이용권", "amount": AMOUNT, "interval": "month", "trial_days": 10, "consent_required": True,
    }  # fmt: skip
    uid = await stack.start(card=number(SOFT), plan=plan)
    await stack.advance(uid, hours=1)
    await stack.order(uid, "consent", decision="granted", shown="무료 체험이 끝나면 9,900원", by="홍길동")
    await stack.advance(uid, days=10, hours=1)
    assert (await stack.subscription(uid))["status"] == "past_due"
    answer = await stack.order(uid, "payment-method", payment_method=method(SOFT_TWICE))
    assert answer["order"]["charge"] == "declined"
    await stack.advance(uid, days=5)
    assert (await stack.subscription(uid))["status"] == "active"
    assert (await stack.events(uid)).count("consent.requested") == 1
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_dunning_goes_on_where_it_stood_after_continuing_as_new(stack):
    stack.roll_after(20)
    uid, seen = await begin(stack, SOFT, end_action="unpaid")
    for _ in range(4):
        await stack.advance(uid, days=5)
    assert (await stack.subscription(uid))["status"] == "unpaid"
    assert [day for _, day in await attempts(stack, uid)] == [0, 1, 4, 9, 16]
    seen.assert_one_key()
    assert await stack.agree(uid) == 0
