"""Rounds of lives: nothing is broken where nothing goes wrong, and what is broken is told with its whole story."""

import json
import sqlite3

import pytest

from chaos.audited import audited
from chaos.faults import Pair
from chaos.judging import judge
from chaos.lives import draw_subscriber
from chaos.report import lines_of, report_of, write_report
from chaos.rounds import Round, end_what_runs, one_round
from chaos.stack import a_stack
from chaos.tiers import TIERS
from chaos.world import World

CARD = "4518-4212-3456"


async def test_where_nothing_goes_wrong_nothing_is_broken(dev_server):
    one = await one_round(dev_server.client, 2, 1, lambda _line: None, pairs=[()], uncached=0)
    assert [violation for each in one.judged for violation in each.broken] == []
    assert sum(each.periods_due for each in one.judged) >= 2
    assert sum(each.charges for each in one.judged) >= 2


async def test_the_smallest_tier_finds_nothing(dev_server):
    tier = TIERS["smoke"]
    one = await one_round(dev_server.client, 3, tier.subscribers, lambda _line: None, uncached=tier.uncached)
    assert [(violation, each.story) for each in one.judged for violation in each.broken] == []
    assert one.covered


async def test_the_audit_of_production_judges_a_round_too(dev_server, tmp_path):
    async with a_stack(dev_server.client, tmp_path) as stack:
        world = World(stack)
        subscriber = draw_subscriber(world, "lee", "a seed", (), 9900)
        await subscriber._note("start")
        await subscriber._begin(await world.start("lee"))
        assert await audited(world, [subscriber], [await judge(subscriber)]) == []
        # The ledger is written to behind everybody's back.
        ledger = sqlite3.connect(stack.database_url.removeprefix("sqlite:///"))
        ledger.execute("UPDATE payments SET amount = amount + 1")
        ledger.commit()
        ledger.close()
        found = await audited(world, [subscriber], [await judge(subscriber)])
        await end_what_runs(world)
    assert {(each.invariant, each.customer_uid) for each in found} == {("books_agree", "lee")}


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("seed", "subscribers", "uncached"), [(1, 8, 0), (2, 2, 1)], ids=["remembered", "replayed at each task"]
)
async def test_lives_with_mishaps_in_pairs_keep_their_promises(dev_server, seed, subscribers, uncached):
    one = await one_round(dev_server.client, seed, subscribers, lambda _line: None, uncached=uncached)
    broken = [(violation, each.story) for each in one.judged for violation in each.broken]
    assert not broken, broken
    assert one.covered


async def test_what_is_broken_is_told_with_its_story_and_the_report_counts_it(dev_server, tmp_path):
    pair = Pair("due", "person revokes", "webhook lost")
    async with a_stack(dev_server.client, tmp_path) as stack:
        world = World(stack)
        subscriber = draw_subscriber(world, "kim", "a seed", (), 9900)
        await subscriber._step("start", None, subscriber._start)
        (number,) = await world.standing_of("kim")
        await world.console("kim", "revoke", merchant_uid=number)
        await subscriber._step("due", None, subscriber._period)
        await world.advance("kim", hours=3)
        # Somebody revoked the schedule in PortOne's console, and the harness does not know of it.
        world.journal.calls[:] = [call for call in world.journal.calls if not call.does.startswith("console")]
        judged = await judge(subscriber)
    assert "ours is not called foreign" in [violation.invariant for violation in judged.broken]
    story = "\n".join(judged.story)
    assert "== due" in story
    assert "asked: POST /v1/subscriptions" in story
    assert "PortOne was asked: POST /subscribe/payments/schedule" in story
    assert "ledger: " in story
    assert "listed: parked schedule_revoked" in story
    assert CARD not in story
    report = report_of([Round(3, [judged], [], [pair], {"drop_webhook": 1}, 1.0, 60.0, {})], "python -m chaos run")
    write_report(tmp_path / "report.json", report)
    kept = json.loads((tmp_path / "report.json").read_text())
    assert (kept["verdict"], kept["violations"][0]["seed"], kept["violations"][0]["subscription"]) == ("fail", 3, "kim")
    assert (kept["pairs"]["covered"], kept["pairs"]["missed"], kept["faults_by_kind"]) == (0, 1, {"drop_webhook": 1})
    assert any(line.startswith("fail: 1 subscriptions") for line in lines_of(report))
