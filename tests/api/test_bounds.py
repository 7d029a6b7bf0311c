"""What no calendar can hold is refused at the door, and by the run itself to whoever speaks to Temporal directly."""

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError

from billing.domain.calendar import Interval, IntervalUnit
from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.domain.subscription.start import StartSubscription

END_OF_TIME = "9999-12-31T23:59:59Z"
MONTHLY = {"name": "a", "price": {"amount": 9900}, "interval": {"unit": "month"}}
SHOWN = {"decision": "granted", "shown": "월 9,900원", "by": "buyer"}

# Each is one that the run could not compute with, keep in its ledger, or say of itself.
BEYOND = [
    ("pause", {"resumes_at": END_OF_TIME}, "resumes_at"),
    ("pause", {"resumes_at": "2199-12-31T00:00:00Z"}, "resumes_at"),
    ("pause", {"resumes_at": "2100-01-01T00:00:00+09:00"}, "resumes_at"),
    ("pause", {"resumes_at": "2100-01-01T00:00:00"}, "resumes_at"),
    ("pause", {"reason": "a\x00b"}, "reason"),
    ("cancel", {"reason": "a" * 201}, "reason"),
    ("change_trial", {"ends_at": END_OF_TIME}, "ends_at"),
    ("change_plan", {"quantity": 10**30}, "quantity"),
    ("change_plan", {"quantity": -1}, "quantity"),
    ("change_plan", {"plan": {**MONTHLY, "zone": "Factory"}}, "plan.time_zone"),
    ("change_plan", {"plan": {**MONTHLY, "max_cycles": 10**12}}, "plan.max_cycles"),
    ("change_plan", {"plan": {**MONTHLY, "name": "a\nb"}}, "plan.name"),
    ("change_plan", {"coupon": {"name": "a\x1b", "percent_off": 1}}, "coupon.name"),
    ("change_payment_method", {"customer_uid": "../b"}, "customer_uid"),
    ("answer_consent", {**SHOWN, "shown": "  "}, "shown"),
    ("answer_consent", {**SHOWN, "shown": "a" * 10_001}, "shown"),
    ("answer_consent", {**SHOWN, "by": "a\x00"}, "by"),
    ("retry", {"by": "a" * 81}, "by"),
    ("decide", {"decision": "retry", "by": "a\n", "reason": "b"}, "by"),
]


BEYOND_BY_ORDER = [
    ("pause", {"resumes_at": END_OF_TIME}, "resumes_at"),
    ("pause", {"resumes_at": "2200-01-01T00:00:00Z"}, "resumes_at"),
    ("pause", {"resumes_at": "2100-01-01T00:00:00Z"}, "resumes_at"),
    ("trial", {"ends_at": END_OF_TIME}, "ends_at"),
    ("change-plan", {"quantity": 100_001}, "quantity"),
    (
        "change-plan",
        {"plan": {"name": "a", "amount": 1, "interval": "month", "interval_count": 37}},
        "plan.interval_count",
    ),
    (
        "change-plan",
        {"plan": {"name": "a", "amount": 1, "interval": "month", "time_zone": "localtime"}},
        "plan.time_zone",
    ),
]


async def test_a_value_beyond_its_bound_is_refused_by_field_and_the_subscription_goes_on(stack):
    uid = await stack.start()
    for path, body, field in BEYOND_BY_ORDER:
        problem = await stack.order(uid, path, expect=422, **body)
        assert [error["field"] for error in problem["errors"]] == [field]
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2


async def test_commands_that_come_by_temporal_directly_are_refused_too_and_leave_the_run_as_it_was(stack):
    uid = await stack.start()
    before = (await stack.handle(uid).describe()).history_length
    for update, order, field in BEYOND:
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await stack.handle(uid).execute_update(update, order)
        code = {"resumes_at": {"out_of_bounds", "too_far_ahead"}}.get(field, {"out_of_bounds"})
        assert refused.value.cause.type in code, (update, order, refused.value.cause)
        assert refused.value.cause.message.startswith(field), (update, order)
    after = await stack.handle(uid).describe()
    assert after.raw_description.pending_workflow_task.attempt <= 1
    assert after.history_length <= before + 2 * len(BEYOND)
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2


async def test_a_start_that_no_calendar_can_hold_ends_at_once(stack):
    plan = PlanTerms("a", Money(9900), Interval(IntervalUnit.MONTH))
    start = StartSubscription(subscription_id="s" * 20, customer_uid="nobody_1", plan=plan, without_card=True)
    start = start.model_dump(mode="json") | {"trial_ends_at": END_OF_TIME}
    run = await stack.temporal.start_workflow(
        "SubscriptionWorkflow", args=[start, None], id=f"subscription/{stack.task_queue}", task_queue=stack.task_queue
    )
    with pytest.raises(WorkflowFailureError) as failed:
        await run.result()
    assert failed.value.cause.type == "out_of_bounds"
