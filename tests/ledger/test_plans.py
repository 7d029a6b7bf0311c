"""Plans: a changed price is a new version, nothing that was sold changes."""

import asyncio
from dataclasses import replace

from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.ledger import Ledger
from tests.ledger.stories import PLAN, day


def priced(amount: int) -> PlanTerms:
    return replace(PLAN, price=Money(amount), tax_free=0)


async def test_changed_terms_are_a_new_version_and_the_old_one_stays(ledger: Ledger) -> None:
    first = await ledger.put_plan("basic", PLAN, day(0))
    second = await ledger.put_plan("basic", priced(12900), day(1))
    assert (first.version, second.version) == (1, 2)
    assert first.terms == replace(PLAN, plan_id="basic", version=1)
    assert await ledger.get_plan("basic", 1) == first
    assert await ledger.get_plan("basic") == second
    assert await ledger.get_plan("basic", 3) is None
    assert await ledger.get_plan("other") is None


async def test_the_same_terms_again_are_the_same_version(ledger: Ledger) -> None:
    first = await ledger.put_plan("basic", PLAN, day(0))
    assert await ledger.put_plan("basic", replace(PLAN, version=9, plan_id=None), day(5)) == first


async def test_the_catalogue_shows_the_newest_version_of_each_plan(ledger: Ledger) -> None:
    for plan_id, amount in (("b", 1), ("a", 2), ("b", 3), ("a", 2)):
        await ledger.put_plan(plan_id, priced(amount), day(0))
    found = [(row.plan_id, row.version, row.terms.price.amount) for row in await ledger.list_plans()]
    assert found == [("a", 1, 2), ("b", 2, 3)]


async def test_concurrent_changes_each_get_a_version_of_their_own(ledger: Ledger) -> None:
    rows = await asyncio.gather(*(ledger.put_plan("basic", priced(amount), day(0)) for amount in range(1, 11)))
    assert sorted(row.version for row in rows) == list(range(1, 11))
    for row in rows:
        assert await ledger.get_plan("basic", row.version) == row
