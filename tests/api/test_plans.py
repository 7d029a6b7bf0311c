"""The plan catalogue over HTTP: what is refused, what is kept, and what an older caller does not have to know."""

import pytest

from tests.api.requests import assert_problem, changed, refused, subscription_body
from tests.api.test_bad_input import BAD_AMOUNTS
from tests.stack import running_stack

GOLD = {"plan_id": "gold", "name": "골드", "amount": 9900, "interval": "month"}


@pytest.mark.parametrize("price", [p for p in BAD_AMOUNTS if p.id != "zero"])
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        pytest.param("/v1/subscriptions", subscription_body, "plan.amount", id="subscriptions"),
        pytest.param("/v1/plans", lambda: dict(GOLD), "amount", id="plans"),
    ],
)
async def test_a_price_that_is_no_whole_sum_under_the_cap_is_refused(idle_stack, path, body, field, price):
    await refused(idle_stack, path, changed(body(), **{field.replace(".", "__"): price}), status=422, field=field)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"consent_required": "yes"}, "consent_required"),
        ({"consent_required": 1}, "consent_required"),
        ({"on_no_consent": "charge"}, "on_no_consent"),
        ({"on_no_consent": None}, "on_no_consent"),
        ({"trial_end_without_card": "charge"}, "trial_end_without_card"),
        ({"trial_end_without_card": True}, "trial_end_without_card"),
        ({"amount": 0, "tax_free": 1}, None),
    ],
)
async def test_a_plan_whose_policies_are_not_known_is_refused_by_field(idle_stack, change, field):
    await refused(idle_stack, "/v1/plans", {**GOLD, **change}, status=422, field=field)


@pytest.fixture(scope="module")
async def stack(dev_server, tmp_path_factory):
    async with running_stack(dev_server.client, tmp_path_factory.mktemp("plans")) as running:
        yield running


async def test_a_plan_that_says_nothing_of_trial_ends_and_consent_gets_the_defaults(stack):
    answer = await stack.api.post("/v1/plans", json={**GOLD, "plan_id": "plain"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["consent_required"] is False
    assert answer.json()["on_no_consent"] == "end"
    assert answer.json()["trial_end_without_card"] == "pause"


async def test_what_a_plan_says_of_trial_ends_and_consent_is_kept_and_a_change_of_it_is_a_new_version(stack):
    policies = {"consent_required": True, "on_no_consent": "hold_price", "trial_end_without_card": "cancel"}
    first = (await stack.api.post("/v1/plans", json={**GOLD, "plan_id": "careful", "trial_days": 14})).json()
    second = (
        await stack.api.post("/v1/plans", json={**GOLD, "plan_id": "careful", "trial_days": 14, **policies})
    ).json()
    assert (first["version"], second["version"]) == (1, 2)
    assert {name: second[name] for name in policies} == policies
    assert (await stack.api.get("/v1/plans/careful")).json() == second


async def test_a_free_plan_is_taken_into_the_catalogue(stack):
    answer = await stack.api.post("/v1/plans", json={**GOLD, "plan_id": "free", "amount": 0})
    assert (answer.status_code, answer.json()["amount"]) == (201, 0)
    assert_problem(await stack.api.post("/v1/plans", json={**GOLD, "amount": -1}), status=422, field="amount")
