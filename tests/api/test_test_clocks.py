"""One subscription's whole world moves in time over the API, next to others that do not move."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowHandle, WorkflowQueryFailedError
from temporalio.testing import TimeSkipper, TimeSkippingConfig, WorkflowEnvironment
from typer.testing import CliRunner

from api.cli import app
from api.clock import SEARCH_ATTRIBUTES
from billing.domain.subscription.reports import LookAgain
from billing.settings import Mode
from billing.temporal import DATA_CONVERTER
from billing.workflow_runner import ASK_AGAIN
from tests.api.requests import assert_problem, new_uid, subscription_body
from tests.facts import until
from tests.patience import PATIENCE_SECONDS
from tests.stack import executable, running_stack
from workflows.subscription.workflow import SubscriptionWorkflow

DUE = timedelta(days=32)


def clock_of(uid):
    return f"/v1/test-clocks/{uid}"


async def advance(stack, uid, *, key=None, **body):
    headers = {"Idempotency-Key": key} if key else {}
    return await stack.api.post(f"{clock_of(uid)}/advance", json=body, headers=headers)


async def arrived(stack, uid):
    """The clock once it moves no longer."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = await stack.api.get(clock_of(uid))
            assert answer.status_code == 200, answer.text
            if answer.json()["status"] != "advancing":
                return answer.json()
            await asyncio.sleep(0.05)


def with_settings(stack, **changes):
    """The same api under other settings."""
    settings = stack.settings.model_copy(update=changes)
    stack.app.state.desk = dataclasses.replace(stack.app.state.desk, settings=settings)


async def command(stack, *arguments):
    """`gudok clock advance ...` against the same Temporal and emulator."""
    environment = {
        "GUDOK_MODE": "test",
        "GUDOK_PORTONE_URL": stack.settings.portone_url,
        "TEMPORAL_ADDRESS": stack.temporal.service_client.config.target_host,
    }
    return await asyncio.to_thread(CliRunner().invoke, app, ["clock", "advance", *arguments], env=environment)


def instant(text):
    return datetime.fromisoformat(text)


# ---------------------------------------------------------------- refused


async def test_no_clock_is_read_or_moved_in_production_or_against_portone_itself(stack):
    uid = await stack.start()
    for changes in (
        {"mode": Mode.PRODUCTION},
        {"portone_url": "https://api.iamport.kr"},
        {"portone_url": "https://API.iamport.kr:443/"},
        {"portone_url": "https://api.portone.io"},
    ):
        with_settings(stack, **changes)
        assert_problem(await advance(stack, uid, distance="31d"), status=403, code="test_clocks_refused")
        assert_problem(await stack.api.get(clock_of(uid)), status=403, code="test_clocks_refused")
    assert len((await stack.books(uid))["charges"]) == 1


async def test_what_keeps_no_clock_is_not_moved(stack):
    uid = await stack.start()
    with_settings(stack, portone_url=str(stack.api.base_url))
    assert_problem(await advance(stack, uid, distance="31d"), status=409, code="no_test_clock")
    with_settings(stack, portone_url="http://127.0.0.1:9")
    assert_problem(await stack.api.get(clock_of(uid)), status=409, code="no_test_clock")


async def test_an_unknown_customer_has_no_clock(idle_stack):
    for answer in (await advance(idle_stack, new_uid(), distance="31d"), await idle_stack.api.get(clock_of(new_uid()))):
        assert_problem(answer, status=404, code="subscription_not_found")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"distance": "31d", "to": "2099-01-01T00:00:00Z"}, "body"),
        ({"distance": "-31d"}, "distance"),
        ({"distance": "0d"}, "distance"),
        ({"distance": "P0D"}, "distance"),
        ({"distance": "a month"}, "distance"),
        ({"distance": "999999d"}, "distance"),
        ({"distance": "P9999Y"}, "distance"),
        ({"distance": 31}, "distance"),
        ({"to": "2020-01-01T00:00:00Z"}, "to"),
        ({"to": "9999-01-01T00:00:00Z"}, "to"),
        ({"to": "2099-01-01T00:00:00"}, "to"),
        ({"days": 31}, "days"),
    ],
    ids=str,
)
async def test_a_distance_that_leads_nowhere_is_refused_by_name(stack_with_one, body, field):
    stack, uid = stack_with_one
    assert_problem(await advance(stack, uid, **body), status=422, field=field)
    assert (await stack.api.get(clock_of(uid))).json()["advance"] is None


@pytest.mark.soak
async def test_a_second_advance_of_the_same_subscription_waits_for_nobody_and_is_refused(stack):
    uid, other = await stack.start(), await stack.start()
    assert (await advance(stack, uid, distance="P1Y")).status_code == 202
    problem = assert_problem(await advance(stack, uid, distance="31d"), status=409, code="test_clock_advancing")
    assert instant(problem["target"]) > datetime.now(UTC) + timedelta(days=364)
    assert (await advance(stack, other, distance="1d")).status_code == 202
    await arrived(stack, other)
    await arrived(stack, uid)
    assert await stack.agree(uid) == 13


async def test_a_world_whose_worker_is_away_stands_still_until_it_is_back(stack):
    uid = await stack.start()
    await stack.stop_worker()
    assert (await advance(stack, uid, distance="31d")).status_code == 202
    shown = (await stack.api.get(clock_of(uid))).json()
    assert (shown["status"], shown["advance"]["steps"]) == ("advancing", 0)
    await stack.start_worker()
    assert (await arrived(stack, uid))["advance"]["charges"] == 1
    assert await stack.agree(uid) == 2


@pytest.mark.soak
async def test_an_advance_that_was_cut_off_is_finished_by_the_same_request_and_goes_no_further(stack):
    uid = await stack.start()
    before = datetime.now(UTC)
    assert (await advance(stack, uid, key="year", distance="P1Y")).status_code == 202
    advances = stack.app.state.advances
    while not advances.newest(uid).steps:
        await asyncio.sleep(0.01)
    async with advances.running():
        pass
    stack.app.state.advances = type(advances)(stack.temporal, stack.settings.portone_url)
    stands = (await stack.api.get(clock_of(uid))).json()
    assert (stands["status"], stands["advance"]) == ("ready", None)
    assert before < instant(stands["now"]) < before + timedelta(days=364)

    assert (await advance(stack, uid, key="year", distance="P1Y")).status_code == 202
    there = await arrived(stack, uid)
    again = await advance(stack, uid, key="year", distance="P1Y")
    assert again.status_code == 200
    assert abs(instant(again.json()["now"]) - instant(there["now"])) < timedelta(minutes=1)
    assert await stack.agree(uid) == 13


@pytest.mark.soak
async def test_a_step_that_was_cut_off_between_the_two_clocks_is_completed_first(stack):
    uid = await stack.start()
    await stack.settled(uid)
    clock = (await stack.api.get(clock_of(uid))).json()
    due = instant(clock["next_due"]) - instant(clock["now"])
    # What a kill between the two leaves behind: the workflow stands at the due instant, PortOne does not.
    skipper = TimeSkipper(stack.temporal, config=TimeSkippingConfig(enabled=False, max_session_skip_count=100_000))
    assert await skipper.fast_forward(stack.handle(uid), due)
    assert len((await stack.books(uid))["charges"]) == 1
    await advance(stack, uid, distance="P1Y")
    there = await arrived(stack, uid)
    assert there["status"] == "ready"
    assert await stack.agree(uid) == 13
    assert (await stack.snapshot(uid))["paid_cycles"] == 13


async def test_a_temporal_that_skips_no_time_is_named_as_the_reason(tmp_path):
    server = WorkflowEnvironment.start_local(
        dev_server_existing_path=executable("temporal"),
        search_attributes=SEARCH_ATTRIBUTES,
        data_converter=DATA_CONVERTER,
    )
    async with await server as environment, running_stack(environment.client, tmp_path) as stack:
        uid = await stack.start()
        await advance(stack, uid, distance="31d")
        shown = await arrived(stack, uid)
        assert shown["status"] == "internal_failure"
        assert "frontend.WorkflowTimeSkippingEnabled" in shown["advance"]["failure"]
        assert await stack.agree(uid) == 1


async def test_the_command_line_says_why_nothing_moves(stack):
    unknown = await command(stack, new_uid(), "31d")
    assert unknown.exit_code == 1
    assert "there is no subscription" in unknown.output
    uid = await stack.start()
    past = await command(stack, uid, "--to", "2020-01-01")
    assert past.exit_code == 2
    assert "already" in past.output


# ---------------------------------------------------------------- moved


async def test_the_command_line_tells_each_step_with_its_charge_and_where_it_ended(stack):
    uid = await stack.start()
    told = await command(stack, uid, "P3M")
    assert told.exit_code == 0, told.output
    *steps, last = told.output.splitlines()
    orders = sorted(row["merchant_uid"] for row in await stack.charges(uid) if row["state"] == "paid")[1:]
    charged = [step for step in steps if "charged 9,900 KRW as " in step]
    assert [step.rpartition(" ")[2] for step in charged] == orders
    assert all("  active " in step for step in steps)
    assert last.startswith("it is now ")
    assert f"for {uid}: {len(steps)} steps, 3 charges since" in last


@pytest.mark.soak
async def test_a_year_passes_in_one_call_while_a_neighbour_stands_still(stack):
    uid, neighbour = await stack.start(), await stack.start()
    await stack.settled(neighbour)
    standing = await stack.subscription(neighbour)
    before = datetime.now(UTC)
    answer = await advance(stack, uid, distance="P1Y")
    assert (answer.status_code, answer.json()["status"]) == (202, "advancing")
    there = await arrived(stack, uid)
    assert there["status"] == "ready"
    assert instant(there["now"]) >= before + timedelta(days=365)
    assert there["advance"]["charges"] == 12
    assert await stack.agree(uid) == 13

    assert await stack.subscription(neighbour) == standing
    assert await stack.agree(neighbour) == 1
    asked = datetime.now(UTC).replace(microsecond=0)
    still = (await stack.api.get(clock_of(neighbour))).json()
    assert asked <= instant(still["now"]) <= datetime.now(UTC)
    assert still["advance"] is None


@pytest.mark.soak
async def test_each_step_says_when_it_was_where_the_subscription_stood_and_what_was_charged(stack):
    uid = await stack.start()
    await advance(stack, uid, distance="P3M")
    shown = await arrived(stack, uid)
    steps = shown["advance"]["latest_steps"]
    charged = [each for step in steps for each in step["charged"]]
    assert [(each["amount"], each["currency"]) for each in charged] == [(9900, "KRW")] * 3
    # The first charge was made before, at the start.
    assert {each["merchant_uid"] for each in charged} < {row["merchant_uid"] for row in await stack.charges(uid)}
    assert [step["at"] for step in steps] == sorted(step["at"] for step in steps)
    assert {step["status"] for step in steps} == {"active"}
    assert shown["advance"]["steps"] == len(steps)
    assert shown["subscription"]["status"] == "active"


@pytest.mark.soak
async def test_an_instant_is_gone_to_and_not_past(stack):
    uid = await stack.start()
    began = datetime.now(UTC).replace(microsecond=0)
    to = began + DUE
    assert (await advance(stack, uid, to=to.isoformat())).status_code == 202
    there = await arrived(stack, uid)
    assert to <= instant(there["now"]) <= to + (datetime.now(UTC) - began)
    assert await stack.agree(uid) == 2


@pytest.mark.soak
async def test_webhooks_that_are_lost_on_the_way_are_settled_all_the_same(stack):
    uid = await stack.start()
    await stack.fault(kind="drop_webhook", path="webhook", customer_uid=uid)
    # Without its webhook a charge is looked up minutes after it was due: the year ends a day later.
    await advance(stack, uid, distance="P1Y1D")
    assert (await arrived(stack, uid))["status"] == "ready"
    assert await stack.agree(uid) == 13
    assert (await stack.snapshot(uid))["paid_cycles"] == 13


@pytest.mark.soak
async def test_a_card_that_is_declined_goes_through_its_retries_and_ends(stack):
    uid = await stack.start()
    await stack.fault(kind="decline", path="schedule", customer_uid=uid)
    await stack.fault(kind="decline", path="again", customer_uid=uid)
    await stack.fault(kind="decline", path="retry", customer_uid=uid)
    before = datetime.now(UTC)
    await advance(stack, uid, distance="P6M")
    shown = await arrived(stack, uid)
    assert shown["status"] == "ready"
    assert "past_due" in {step["status"] for step in shown["advance"]["latest_steps"]}
    assert shown["subscription"]["status"] == "canceled"
    assert instant(shown["now"]) >= before + timedelta(days=180)


@pytest.mark.soak
async def test_the_same_request_sent_twice_moves_once(stack):
    uid = await stack.start()
    first, again = [await advance(stack, uid, key="month", distance="P32D") for _ in range(2)]
    assert first.status_code == 202
    assert again.json()["advance"]["target"] == first.json()["advance"]["target"]
    await arrived(stack, uid)
    assert (await advance(stack, uid, key="month", distance="P32D")).status_code == 200
    problem = await advance(stack, uid, key="month", distance="P64D")
    assert_problem(problem, status=422, code="idempotency_key_reused")
    assert await stack.agree(uid) == 2


@pytest.fixture
async def stack_with_one(idle_stack):
    """A stack with one subscription, for refusals that leave no trace."""
    running = await idle_stack.api.get("/v1/subscriptions")
    rows = running.json()["subscriptions"]
    if rows:
        return idle_stack, rows[0]["customer_uid"]
    body = subscription_body()
    assert (await idle_stack.api.post("/v1/subscriptions", json=body)).status_code == 201
    return idle_stack, body["customer_uid"]


async def test_the_clock_of_a_run_that_was_ended_in_the_middle_of_a_call_moves_on(stack):
    uid = await stack.start()
    await stack.fault(path="*", kind="500_before")
    await stack.handle(uid).signal(SubscriptionWorkflow.look_again, LookAgain(merchant_uid=""))

    async def a_call_is_tried():
        return (await stack.handle(uid).describe()).raw_description.pending_activities

    await until(a_call_is_tried)
    await stack.handle(uid).terminate("by an operator")
    target = datetime.now(UTC) + timedelta(days=2)
    await advance(stack, uid, to=target.isoformat())
    clock = await arrived(stack, uid)
    assert clock["status"] == "ready"
    assert datetime.fromisoformat(clock["now"]) >= target - timedelta(seconds=5)


async def test_the_clock_of_a_run_that_was_ended_before_it_answered_what_came_moves_on(stack, monkeypatch):
    uid = await stack.start()
    await stack.handle(uid).terminate("by an operator")

    async def refused(*_args, **_options):
        raise WorkflowQueryFailedError(ASK_AGAIN)

    monkeypatch.setattr(WorkflowHandle, "query", refused)
    target = datetime.now(UTC) + timedelta(days=2)
    await advance(stack, uid, to=target.isoformat())
    clock = await arrived(stack, uid)
    assert clock["status"] == "ready", clock["advance"]
    assert datetime.fromisoformat(clock["now"]) >= target - timedelta(seconds=5)
