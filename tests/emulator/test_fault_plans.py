"""Plans of faults: taken whole or not at all, drawn from a seed, the same whatever the interleaving."""

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.emulator import EmulatorSettings
from billing.emulator.fault_rules import BEFORE, Faults
from billing.emulator.faults import Fault, Plan, PlanError, fits, read_faults, read_plan
from billing.emulator.world import World

PLAN = """
seed = 7

[[rules]]
kind = "drop_after"
path = "again"
rate = 0.5

[[rules]]
kind = "500_before"
path = "cancel"
merchant_uid = "order-*"
after = 1
count = 2

[[rules]]
kind = "console"
at = 2027-01-01T00:00:00Z
act = { act = "recovery", hour = 9 }
"""


def faults() -> Faults:
    return Faults(World(EmulatorSettings()))


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"kind": "odd"}, "rule 2, kind: "),
        ({}, "rule 2, kind: "),
        ({"kind": "401", "pth": "again"}, "rule 2, pth: "),
        ({"kind": "401", "path": "agian"}, "rule 2, path: 401 never meets 'agian'"),
        ({"kind": "drop_webhook", "path": "again"}, "rule 2, path: drop_webhook never meets 'again'; it meets webhook"),
        ({"kind": "decline", "path": "cancel"}, "rule 2, path: "),
        ({"kind": "401", "rate": 1.5}, "rule 2, rate: "),
        ({"kind": "401", "count": 0}, "rule 2, count: "),
        ({"kind": "401", "after": -1}, "rule 2, after: "),
        ({"kind": "401", "location": "/"}, "rule 2, location: 401 takes none"),
        ({"kind": "401", "seconds": 1}, "rule 2, seconds: 401 takes none"),
        ({"kind": "console", "act": {"act": "cancel"}, "at": "start", "count": 1}, "rule 2, count: what stands for"),
        ({"kind": "console"}, "rule 2, act: console needs one"),
        ({"kind": "console", "act": {"act": "dance"}}, "rule 2, act.act: "),
        ({"kind": "console", "act": {"act": "cancel"}, "at": "2027-01-01T00:00:00"}, "rule 2, at"),
        ("no rule", "rule 2: "),
    ],
)
async def test_a_plan_with_one_wrong_rule_is_refused_whole_and_says_which(merchant, rule, problem):
    await merchant.fault("401", path="cancel")
    answer = await merchant.http.post("/emulator/faults", json={"rules": [{"kind": "500_before"}, rule]})
    assert answer.status_code == 422
    assert any(told.startswith(problem) for told in answer.json()["detail"]), answer.text
    assert [one["kind"] for one in await merchant.control("GET", "faults")] == ["401"]


@pytest.mark.parametrize("body", [[], "plan", 1, {"rules": {}}, {"seed": "x"}, {"rules": [], "more": 1}])
async def test_what_is_no_plan_is_refused(merchant, body):
    assert (await merchant.http.post("/emulator/faults", json=body)).status_code == 422
    assert await merchant.control("GET", "faults") == []


async def test_a_plan_replaces_what_was_set_and_its_rules_are_numbered(merchant):
    await merchant.fault("401", path="cancel")
    rules = [{"kind": "500_before", "path": "again"}, {"kind": "drop_webhook"}]
    answer = await merchant.http.post("/emulator/faults", json={"seed": 3, "rules": rules})
    assert answer.status_code == 201
    told = [(one["number"], one["seed"], one["kind"]) for one in await merchant.control("GET", "faults")]
    assert told == [(1, 3, "500_before"), (2, 3, "drop_webhook")]


async def test_a_plan_counts_each_order_apart_and_spares_the_first(merchant):
    await merchant.issue()
    rule = {"kind": "500_before", "path": "again", "merchant_uid": "m*", "after": 1, "count": 1}
    await merchant.control("POST", "faults", {"rules": [rule]})
    # `again` refuses what is paid, so the calls that pass are seen by their code.
    order = ["m1", "m2", "m1", "x1", "m2", "m1", "x1"]
    assert [(await merchant.again(uid)).status_code for uid in order] == [200, 200, 500, 200, 500, 200, 200]


async def test_a_rule_can_count_all_orders_together(merchant):
    await merchant.issue()
    rule = {"kind": "500_before", "path": "again", "after": 1, "count": 2, "counted": "together"}
    await merchant.control("POST", "faults", {"rules": [rule]})
    assert [(await merchant.again(f"m{n}")).status_code for n in range(5)] == [200, 500, 500, 200, 200]


async def test_what_a_plan_has_counted_survives_a_restart(start, tmp_path):
    first = await start(state_file=tmp_path / "state.db")
    await first.issue()
    await first.control("POST", "faults", {"rules": [{"kind": "500_before", "path": "again", "count": 2}]})
    assert (await first.again("m1")).status_code == 500
    second = await start(state_file=tmp_path / "state.db")
    assert [(await second.again("m1")).status_code for _ in range(2)] == [500, 200]
    assert (await second.again("m2")).status_code == 500


async def test_a_rule_kept_by_an_older_emulator_still_strikes(start, tmp_path):
    first = await start(state_file=tmp_path / "state.db")
    old = {"kind": "500_before", "path": "again", "count": 1, "merchant_uid": None, "customer_uid": None}
    with first.app.state.account.world.store.writing():
        first.app.state.account.world.store.put("faults", "000001", {**old, "seconds": 0.0, "fired": 0})
    second = await start(state_file=tmp_path / "state.db")
    await second.issue()
    assert [(await second.again("m1")).status_code for _ in range(2)] == [500, 200]


@pytest.mark.parametrize("name", ["plan.toml", "plan.json"])
def test_a_plan_is_read_from_toml_and_from_json(tmp_path, name):
    toml = tmp_path / "plan.toml"
    toml.write_text(PLAN)
    plan = read_plan(toml)
    (tmp_path / "plan.json").write_text(plan.model_dump_json(exclude_defaults=True))
    assert read_plan(tmp_path / name) == plan
    assert (plan.seed, [rule.kind for rule in plan.rules]) == (7, ["drop_after", "500_before", "console"])


@pytest.mark.parametrize("text", ["seed = ", "[[rules]]\nkind = 1", "rule = []", None])
def test_a_file_that_holds_no_plan_says_so(tmp_path, text):
    path = tmp_path / "plan.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(PlanError, match=r"plan\.toml|rule"):
        read_plan(path)


@pytest.mark.parametrize("body", [[1], 1, None, "x"])
def test_json_that_is_no_object_is_no_plan(tmp_path, body):
    (tmp_path / "plan.json").write_text(json.dumps(body))
    with pytest.raises(PlanError, match="seed and rules"):
        read_plan(tmp_path / "plan.json")


def test_the_same_plan_keeps_its_counts_and_another_does_not():
    kept, plan = faults(), Plan.model_validate({"rules": [{"kind": "401", "count": 1}]})
    kept.replace(plan)
    assert kept.keeps(plan)
    assert not kept.keeps(plan.model_copy(update={"seed": 1}))
    kept.clear()
    assert not kept.keeps(plan)


def test_one_rule_counts_together_and_a_rule_of_a_plan_each_apart():
    assert read_faults({"kind": "401"}) == Fault(kind="401", counted="together")
    plan = read_faults({"rules": [{"kind": "401"}]})
    assert isinstance(plan, Plan)
    assert plan.rules[0].counted == "each"


@pytest.mark.parametrize(
    ("pattern", "value", "meant"),
    [
        (None, None, True), ("*", None, True), ("m1", None, False), ("m1", "m1", True), ("m1", "m10", False),
        ("m?", "m1", True), ("m*", "m10", True), ("m[1]", "m1", False), ("m[1]", "m[1]", True), ("M1", "m1", False),
    ],
)  # fmt: skip
def test_names_are_exact_but_for_two_signs(pattern, value, meant):
    assert fits(pattern, value) is meant


def test_a_rate_is_about_that_part_and_another_seed_draws_others():
    struck = []
    for seed in (1, 2):
        some = faults()
        some.replace(Plan.model_validate({"seed": seed, "rules": [{"kind": "401", "rate": 0.3}]}))
        taken = [some.take(BEFORE, "again", merchant_uid=f"m{n}") is not None for n in range(1000)]
        assert 250 < sum(taken) < 350
        struck.append(taken)
    assert struck[0] != struck[1]


@pytest.mark.parametrize(("rate", "part"), [(0, 0), (1, 20)])
def test_a_rate_of_nothing_and_of_everything(rate, part):
    some = faults()
    some.replace(Plan.model_validate({"rules": [{"kind": "401", "rate": rate}]}))
    assert sum(some.take(BEFORE, "again", merchant_uid="m1") is not None for _ in range(20)) == part


RULES = st.fixed_dictionaries(
    {"kind": st.sampled_from(["401", "500_before", "429", "drop_before"])},
    optional={
        "path": st.sampled_from(["*", "again", "cancel", "customers*"]),
        "merchant_uid": st.sampled_from(["m1", "m*", "?2"]),
        "customer_uid": st.sampled_from(["kim", "*"]),
        "after": st.integers(0, 2),
        "count": st.integers(1, 3),
        "rate": st.floats(0, 1),
    },
)
IDENTITIES = [("again", "m1", "kim"), ("again", "m2", "kim"), ("cancel", "m2", None), ("customers", None, "lee")]
CALLS = st.lists(st.sampled_from(IDENTITIES), max_size=25)


@settings(max_examples=150)
@given(st.integers(), st.lists(RULES, max_size=4), CALLS, st.randoms(use_true_random=False))
def test_the_same_plan_and_calls_give_each_order_the_same_faults_whatever_the_interleaving(seed, rules, calls, random):
    plan = Plan.model_validate({"seed": seed, "rules": rules})
    shuffled = list(calls)
    random.shuffle(shuffled)
    lived = [_live(plan, order) for order in (calls, shuffled)]
    assert lived[0] == lived[1]
    assert Counter(calls) == {who: len(told) for who, told in lived[0].items()}


def _live(plan, calls):
    some, told = faults(), {}
    some.replace(plan)
    for path, merchant_uid, customer_uid in calls:
        fault = some.take(BEFORE, path, merchant_uid=merchant_uid, customer_uid=customer_uid)
        told.setdefault((path, merchant_uid, customer_uid), []).append(fault and (fault["number"], fault["kind"]))
    return told


async def test_two_interleavings_of_real_calls_end_with_the_same_books(start):
    rules = [
        {"kind": "500_before", "path": "again", "rate": 0.4},
        {"kind": "500_after", "path": "again", "rate": 0.4},
        {"kind": "console", "path": "again", "rate": 0.3, "act": {"act": "cancel"}},
        {"kind": "decline", "path": "again", "rate": 0.3},
    ]
    orders = [(f"m{n}", customer_uid) for n in range(8) for customer_uid in ("kim", "lee")]
    ends = []
    for lived in (orders * 3, sorted(orders * 3, reverse=True)):
        merchant = await start()
        for customer_uid in ("kim", "lee"):
            await merchant.issue(customer_uid)
        await merchant.control("POST", "faults", {"seed": 11, "rules": rules})
        told = {}
        for number, customer_uid in lived:
            answer = await merchant.again(f"{number}_{customer_uid}", customer_uid)
            told.setdefault((number, customer_uid), []).append((answer.status_code, answer.json()["message"]))
        books = {(row["merchant_uid"], row["status"]) for row in await merchant.charges()}
        ends.append((told, books))
    assert ends[0] == ends[1]
    assert {status for told in ends[0][0].values() for status, _ in told} == {200, 500}
