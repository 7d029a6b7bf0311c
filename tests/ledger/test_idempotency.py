"""Idempotency-Keys: the first request works, its twins get its answer."""

import asyncio
from datetime import timedelta

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


async def test_a_request_that_was_left_open_is_gone_on_with_by_exactly_one(ledger: Ledger) -> None:
    await ledger.claim_idempotency_key("api", "k", "body", "first", day(0))
    await ledger.leave_idempotency_key("api", "k")
    claims = await asyncio.gather(
        *(ledger.claim_idempotency_key("api", "k", "body", f"{n}", day(0)) for n in range(20))
    )
    assert sorted(claim.kind for claim in claims) == ["in_progress"] * 19 + ["open"]
    assert {claim.resource for claim in claims} == {"first"}


async def test_a_claim_whose_process_has_died_is_taken_over_and_one_that_is_renewed_is_not(ledger: Ledger) -> None:
    lease = timedelta(hours=6)
    for key in ("dead", "alive"):
        await ledger.claim_idempotency_key("api", key, "body", "first", day(0))
    await ledger.renew_idempotency_key("api", "alive", day(1))
    kinds = [
        (await ledger.claim_idempotency_key("api", key, "body", "second", day(1), lease=lease)).kind
        for key in ("dead", "alive", "dead")
    ]
    assert kinds == ["open", "in_progress", "in_progress"]


async def test_a_renewal_of_an_answered_or_forgotten_request_changes_nothing(ledger: Ledger) -> None:
    await ledger.claim_idempotency_key("api", "k", "body", "r", day(0))
    await ledger.finish_idempotency_key("api", "k", 201, "{}")
    await ledger.renew_idempotency_key("api", "k", day(5))
    await ledger.leave_idempotency_key("api", "k")
    await ledger.renew_idempotency_key("api", "never", day(5))
    assert (await ledger.claim_idempotency_key("api", "k", "body", "s", day(6))).claimed_at == day(0)


async def test_a_key_whose_time_is_over_stands_for_nothing_even_before_it_is_purged(ledger: Ledger) -> None:
    await ledger.claim_idempotency_key("api", "k", "body", "r", day(0))
    await ledger.finish_idempotency_key("api", "k", 201, "{}")
    claim = await ledger.claim_idempotency_key("api", "k", "other", "s", day(31), forget_before=day(1))
    assert claim == IdempotencyClaim("new", "s", day(31))


async def test_a_fingerprint_is_compared_as_the_caller_says(ledger: Ledger) -> None:
    await ledger.claim_idempotency_key("api", "k", "old-key:1", "r", day(0))
    anew = await ledger.claim_idempotency_key("api", "k", "new-key:2", "s", day(0), is_same={"old-key:1"}.__contains__)
    assert (anew.kind, anew.resource) == ("in_progress", "r")


async def test_a_purge_of_many_keys_goes_page_by_page(ledger: Ledger) -> None:
    for number in range(7):
        await ledger.claim_idempotency_key("api", f"{number}", "body", "r", day(number))
    assert await ledger.purge_idempotency_keys(day(5), at_once=2) == 5
    assert await ledger.purge_idempotency_keys(day(5), at_once=2) == 0
