"""Idempotency-Keys: the first request works, its twins get its answer."""

import asyncio

from billing.ledger import IdempotencyClaim, Ledger
from tests.ledger.stories import day


async def test_of_fifty_concurrent_claims_exactly_one_is_new(ledger: Ledger) -> None:
    claims = await asyncio.gather(
        *(ledger.claim_idempotency_key("api", "k", "body", f"resource {n}", day(0)) for n in range(50))
    )
    (won,) = (claim for claim in claims if claim.kind == "new")
    assert {claim.kind for claim in claims if claim is not won} == {"in_progress"}
    assert {claim.resource for claim in claims} == {won.resource}


async def test_a_key_with_another_body_is_a_mismatch_even_when_answered(ledger: Ledger) -> None:
    await ledger.claim_idempotency_key("api", "k", "body", "r", day(0))
    assert (await ledger.claim_idempotency_key("api", "k", "other", "r2", day(1))).kind == "mismatch"
    await ledger.finish_idempotency_key("api", "k", 201, "{}", day(1))
    claim = await ledger.claim_idempotency_key("api", "k", "other", "r2", day(1))
    assert claim == IdempotencyClaim("mismatch", "r", day(0))


async def test_the_first_answer_is_given_again(ledger: Ledger) -> None:
    assert await ledger.claim_idempotency_key("api", "k", "body", "r", day(0)) == IdempotencyClaim("new", "r", day(0))
    await ledger.finish_idempotency_key("api", "k", 402, '{"code":"거절"}')
    await ledger.finish_idempotency_key("api", "k", 500, "later")
    replay = await ledger.claim_idempotency_key("api", "k", "body", "ignored", day(9))
    assert replay == IdempotencyClaim("replay", "r", day(0), 402, '{"code":"거절"}')


async def test_a_key_counts_within_its_scope(ledger: Ledger) -> None:
    for scope in ("a POST /x", "a POST /y", "b POST /x"):
        assert (await ledger.claim_idempotency_key(scope, "k", "body", "r", day(0))).kind == "new"


async def test_a_request_that_started_nothing_gives_its_key_back(ledger: Ledger) -> None:
    await ledger.claim_idempotency_key("api", "k", "body", "r", day(0))
    await ledger.release_idempotency_key("api", "k")
    assert (await ledger.claim_idempotency_key("api", "k", "other", "r", day(0))).kind == "new"


async def test_an_answered_key_is_not_given_back(ledger: Ledger) -> None:
    await ledger.claim_idempotency_key("api", "k", "body", "r", day(0))
    await ledger.finish_idempotency_key("api", "k", 201, "{}", day(0))
    await ledger.release_idempotency_key("api", "k")
    assert (await ledger.claim_idempotency_key("api", "k", "body", "r", day(0))).kind == "replay"


async def test_claims_and_releases_that_cross_end_with_somebody_in_charge(ledger: Ledger) -> None:
    async def work(number: int) -> bool:
        claim = await ledger.claim_idempotency_key("api", "k", "body", f"{number}", day(0))
        if claim.kind == "new":
            await ledger.release_idempotency_key("api", "k")
        return claim.kind == "new"

    assert any(await asyncio.gather(*(work(number) for number in range(30))))
    assert (await ledger.claim_idempotency_key("api", "k", "body", "last", day(0))).kind == "new"


async def test_old_keys_are_forgotten(ledger: Ledger) -> None:
    await ledger.claim_idempotency_key("api", "old", "body", "r", day(0))
    await ledger.claim_idempotency_key("api", "young", "body", "r", day(29))
    assert await ledger.purge_idempotency_keys(day(28)) == 1
    assert (await ledger.claim_idempotency_key("api", "old", "body", "r", day(30))).kind == "new"
    assert (await ledger.claim_idempotency_key("api", "young", "body", "r", day(30))).kind == "in_progress"
