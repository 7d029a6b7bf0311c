"""Trials, plan changes and coupons that do not hold together: refused by field, and nothing has happened."""

from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from tests.api.requests import GONE, assert_problem, changed, new_uid, refused, subscription_body

COUPON = {"name": "절반", "percent_off": 50}

BAD_INSTANTS = [
    pytest.param("tomorrow", id="words"),
    pytest.param("2099-01-01", id="a_day_without_a_time"),
    pytest.param("2099-01-01T00:00:00", id="no_zone"),
    pytest.param("2099-13-01T00:00:00Z", id="month_13"),
    pytest.param("0001-01-01T00:00:00+14:00", id="before_the_first_year"),
    pytest.param("9999-12-31T23:59:59-14:00", id="after_the_last_year"),
    pytest.param("2099-01-01T00:00:00Z\n", id="a_newline"),
    pytest.param(4_070_908_800, id="a_number"),
    pytest.param(True, id="true"),
    pytest.param(["2099-01-01T00:00:00Z"], id="a_list"),
]

BAD_COUPONS = [
    pytest.param({"percent_off": 0}, "coupon.percent_off", id="nothing_off"),
    pytest.param({"percent_off": 101}, "coupon.percent_off", id="more_than_all"),
    pytest.param({"percent_off": 12.5}, "coupon.percent_off", id="half_a_percent"),
    pytest.param({"percent_off": "50"}, "coupon.percent_off", id="a_string"),
    pytest.param({"amount_off": 1000}, "coupon", id="both"),
    pytest.param({"percent_off": GONE}, "coupon", id="neither"),
    pytest.param({"percent_off": GONE, "amount_off": 0}, "coupon.amount_off", id="an_amount_of_nothing"),
    pytest.param({"percent_off": GONE, "amount_off": 100_000_001}, "coupon.amount_off", id="over_the_cap"),
    pytest.param({"percent_off": GONE, "amount_off": 10, "currency": "USD"}, "coupon.currency", id="dollars_off_won"),
    pytest.param({"currency": "KRX"}, "coupon.currency", id="a_currency_nobody_knows"),
    pytest.param({"duration": "always"}, "coupon.duration", id="a_duration_nobody_knows"),
    pytest.param({"duration": "repeating"}, "coupon", id="repeating_without_cycles"),
    pytest.param({"duration_cycles": 3}, "coupon", id="once_for_three"),
    pytest.param({"duration": "repeating", "duration_cycles": 0}, "coupon.duration_cycles", id="for_none"),
    pytest.param({"name": ""}, "coupon.name", id="no_name"),
    pytest.param({"name": "a" * 41}, "coupon.name", id="a_long_name"),
    pytest.param({"name": "a\x00"}, "coupon.name", id="NUL"),
    pytest.param({"color": "red"}, "coupon.color", id="a_field_nobody_knows"),
]

BAD_QUANTITIES = [0, -1, 1.5, "2", True, 100_001, 10**30]

BAD_CHANGES = [
    pytest.param({}, "body", id="nothing"),
    pytest.param({"at": "now"}, "body", id="no_change"),
    pytest.param({"quantity": None}, "body", id="quantity_null"),
    pytest.param({"plan_id": "gold", "plan": subscription_body()["plan"]}, "body", id="two_plans"),
    pytest.param({"coupon": COUPON, "remove_coupon": True}, "body", id="coupon_and_none"),
    pytest.param({"remove_coupon": False}, "remove_coupon", id="remove_coupon_false"),
    pytest.param({"quantity": 2, "at": "tomorrow"}, "at", id="at_tomorrow"),
    pytest.param({"quantity": 2, "proration": "day"}, "proration", id="a_mode_nobody_knows"),
    pytest.param({"quantity": 2, "proration": None}, "proration", id="mode_null"),
    pytest.param({"plan_id": "a" * 81}, "plan_id", id="a_long_plan_id"),
    pytest.param({"plan": {"name": "골드", "amount": -1, "interval": "month"}}, "plan.amount", id="under_0"),
    pytest.param({"plan": {"name": "골드", "amount": 1, "interval": "eon"}}, "plan.interval", id="an_interval"),
    pytest.param({"quantity": 2, "when": "now"}, "when", id="a_field_nobody_knows"),
    *[pytest.param({"quantity": each}, "quantity", id=f"quantity_{each}") for each in BAD_QUANTITIES],
]


@pytest_asyncio.fixture(scope="module")
async def living(_shared_stack):
    """A trial of 14 days in won, of a plan in the catalogue."""
    plan = {"plan_id": "known", "name": "기본", "amount": 9000, "interval": "month", "trial_days": 14}
    await _shared_stack.api.post("/v1/plans", json=plan)
    return await _shared_stack.start(plan=None, plan_id="known", payment_method=None)


def order(uid, path):
    return f"/v1/subscriptions/{uid}/{path}"


# ---------------------------------------------------------------- starting


@pytest.mark.parametrize("instant", BAD_INSTANTS)
async def test_the_end_of_a_trial_that_is_no_instant_is_refused(idle_stack, instant):
    body = {**subscription_body(), "trial_end": instant}
    await refused(idle_stack, "/v1/subscriptions", body, status=422, field="trial_end")


@pytest.mark.parametrize("days", [-1, 0, 731, 10_000])
async def test_the_end_of_a_trial_in_the_past_or_beyond_two_years_is_refused(idle_stack, days):
    end = (datetime.now(UTC) + timedelta(days=days, seconds=-1)).isoformat()
    await refused(
        idle_stack, "/v1/subscriptions", {**subscription_body(), "trial_end": end}, status=422, field="trial_end"
    )


@pytest.mark.parametrize(("change", "field"), BAD_COUPONS)
async def test_a_start_with_a_coupon_that_is_none_is_refused(idle_stack, change, field):
    body = {**subscription_body(), "coupon": changed(COUPON, **change)}
    await refused(idle_stack, "/v1/subscriptions", body, status=422, field=field)


@pytest.mark.parametrize("quantity", [*BAD_QUANTITIES, None])
async def test_a_start_of_a_quantity_that_is_none_is_refused(idle_stack, quantity):
    body = {**subscription_body(), "quantity": quantity}
    await refused(idle_stack, "/v1/subscriptions", body, status=422, field="quantity")


async def test_a_start_of_more_than_one_charge_may_take_is_refused(idle_stack):
    body = {**subscription_body(), "quantity": 100_000}
    await refused(idle_stack, "/v1/subscriptions", body, status=422, code="amount_too_large", field="quantity")


@pytest.mark.parametrize(
    ("unit", "count"), [("day", 1096), ("week", 157), ("month", 37), ("year", 4), ("month", 1.5), ("month", "2")]
)
async def test_an_interval_beyond_three_years_or_of_no_whole_number_is_refused(idle_stack, unit, count):
    body = changed(subscription_body(), plan__interval=unit, plan__interval_count=count)
    problem = await refused(idle_stack, "/v1/subscriptions", body, status=422)
    assert problem["errors"][0]["field"] in ("plan", "plan.interval_count")


async def test_a_start_without_a_card_whose_first_period_costs_is_refused(idle_stack):
    body = changed(subscription_body(), payment_method=GONE)
    await refused(idle_stack, "/v1/subscriptions", body, status=422, code="no_payment_method", field="payment_method")


# ---------------------------------------------------------------- changing


@pytest.mark.parametrize("path", ["change-plan", "change-plan/preview"])
@pytest.mark.parametrize(("body", "field"), BAD_CHANGES)
async def test_a_change_that_does_not_say_what_is_refused(idle_stack, path, body, field):
    await refused(idle_stack, order(new_uid(), path), body, status=422, field=field)


@pytest.mark.parametrize(("change", "field"), BAD_COUPONS)
async def test_a_change_to_a_coupon_that_is_none_is_refused(living, idle_stack, change, field):
    body = {"coupon": changed(COUPON, **change)}
    await refused(idle_stack, order(living, "change-plan"), body, status=422, field=field)


@pytest.mark.parametrize("path", ["change-plan", "change-plan/preview"])
@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        pytest.param({"plan_id": "nobody"}, "plan_not_found", "plan_id", id="a_plan_that_is_not_there"),
        pytest.param({"quantity": 20_000}, "amount_too_large", "quantity", id="more_than_one_charge_may_take"),
        pytest.param(
            {"plan": {"name": "Gold", "amount": 999, "currency": "USD", "interval": "month"}},
            "currency_changed",
            "plan.currency",
            id="dollars_instead_of_won",
        ),
    ],
)
async def test_a_change_that_does_not_fit_what_is_held_is_refused(living, idle_stack, path, body, code, field):
    await refused(idle_stack, order(living, path), body, status=422, code=code, field=field)


@pytest.mark.parametrize("path", ["change-plan", "change-plan/preview", "trial"])
async def test_an_order_to_nobody_is_a_404(idle_stack, path):
    body = {"end_now": True} if path == "trial" else {"quantity": 2}
    await refused(idle_stack, order(new_uid(), path), body, status=404, code="subscription_not_found")
    answer = await idle_stack.api.delete(order(new_uid(), "pending-change"))
    assert_problem(answer, status=404, code="subscription_not_found")
    assert_problem(await idle_stack.api.get(order(new_uid(), "preview")), status=404, code="subscription_not_found")


async def test_a_change_that_is_not_pending_cannot_be_taken_back(living, idle_stack):
    answer = await idle_stack.api.delete(order(living, "pending-change"))
    assert_problem(answer, status=409, code="no_pending_change")


# ---------------------------------------------------------------- trials


@pytest.mark.parametrize("instant", BAD_INSTANTS)
async def test_another_end_of_a_trial_that_is_no_instant_is_refused(idle_stack, instant):
    await refused(idle_stack, order(new_uid(), "trial"), {"ends_at": instant}, status=422, field="ends_at")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param({}, "body", id="neither"),
        pytest.param({"ends_at": "2099-01-01T00:00:00Z", "end_now": True}, "body", id="both"),
        pytest.param({"end_now": False}, "end_now", id="end_now_false"),
        pytest.param({"end_now": "true"}, "end_now", id="end_now_as_a_string"),
        pytest.param({"end_now": True, "color": "red"}, "color", id="a_field_nobody_knows"),
        pytest.param({"end_now": True, "consent": {"shown": " ", "by": "gildong"}}, "consent", id="nothing_shown"),
        pytest.param({"end_now": True, "consent": {"by": "gildong"}}, "consent.shown", id="shown_left_out"),
        pytest.param(
            {"ends_at": "2099-01-01T00:00:00Z", "consent": {"shown": "동의", "by": "gildong"}},
            "body",
            id="consent_to_a_day",
        ),
    ],
)
async def test_an_order_that_does_not_say_when_a_trial_ends_is_refused(idle_stack, body, field):
    await refused(idle_stack, order(new_uid(), "trial"), body, status=422, field=field)


@pytest.mark.parametrize(("days", "code"), [(-1, "in_the_past"), (731, "too_far_ahead"), (400_000, "invalid_request")])
async def test_another_end_of_a_trial_in_the_past_or_beyond_two_years_is_refused(living, idle_stack, days, code):
    end = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    await refused(idle_stack, order(living, "trial"), {"ends_at": end}, status=422, code=code, field="ends_at")
