"""A change that running subscriptions could not live through is caught before it lands, and says what it did."""

import re

import pytest

from api.divergence import divergence
from api.fingerprint import Command, Task
from api.replay import history_files, read_history
from chaos.processes import next_release
from tests.replay import variants
from tests.replay.fingerprint import FINGERPRINTS, HISTORIES, name_of
from tests.replay.replaying import replayed, with_subscription

# The stories of tests/replay/record.py show every command there is; those of the journeys would only add time.
PATHS = {name_of(path): path for path in history_files(HISTORIES) if path.parent == HISTORIES}
WAITS = ('timer "period', 'timer "until', 'timer "the outcome of the charge')


@pytest.fixture(autouse=True)
def _without_traces(caplog):
    caplog.set_level("CRITICAL", logger="temporalio")


async def caught(variant):
    """What became of each committed history that does not replay on `variant`, by name."""
    names = sorted(PATHS)
    results = await replayed([read_history(PATHS[name]) for name in names], with_subscription(variant))
    return {name: result for name, result in zip(names, results, strict=True) if result.failure is not None}


def stories(*marks):
    """The stories of subscriptions that did one of these things."""
    texts = {path.stem: path.read_text() for path in FINGERPRINTS.iterdir() if path.stem in PATHS}
    # Only a subscription's run says its status to Temporal's lists.
    of_subscriptions = {name: text for name, text in texts.items() if "SubscriptionStatus=" in text}
    return {name for name, text in of_subscriptions.items() if any(mark in text for mark in marks)}


async def test_an_added_activity_is_caught_in_every_story_that_it_would_have_met():
    found = await caught(next_release.UnpatchedStep)
    assert set(found) == stories("register_schedule", *WAITS)
    assert len(found) > 10
    told = found["plain"].divergence
    assert re.fullmatch(
        r'the code wanted activity subscription_on_key "a further step" '
        r'where the history has activity (register_schedule "schedule period 2 for [^"]+"|record "[^"]+") at event \d+',
        told.reason,
    )
    assert re.search(r"^- +\d+  (register_schedule|record)", told.diff, re.MULTILINE)
    assert '\n+       subscription_on_key "a further step"' in told.diff


@pytest.mark.soak
async def test_a_removed_timer_is_caught_in_every_story_that_waited():
    found = await caught(variants.RemovedTimer)
    assert set(found) == stories(*WAITS)
    reason = found["plain"].divergence.reason
    assert reason.startswith(
        'the code wanted nothing more where the history has timer "period 2: until PortOne reports'
    )


@pytest.mark.soak
async def test_the_same_change_under_a_patch_replays_everywhere():
    assert await caught(next_release.PatchedStep) == {}


@pytest.mark.soak
async def test_other_words_are_no_other_commands():
    assert await caught(variants.OtherWords) == {}


@pytest.mark.soak
async def test_an_exception_in_the_code_is_told_as_itself():
    found = await caught(variants.Clumsy)
    assert found["plain"].failure == "KeyError: 'no such period'"
    assert found["plain"].divergence.reason.startswith("the code failed in the workflow task of event ")
    assert "no such period" in found["plain"].divergence.reason


async def test_a_history_that_does_not_replay_does_not_hide_the_next_one():
    plain, refund = (read_history(PATHS[name]) for name in ("plain", "partial_refund"))
    results = await replayed([plain, refund, plain], with_subscription(next_release.UnpatchedStep))
    assert [result.failure is None for result in results] == [False, True, False]


@pytest.mark.parametrize(
    ("history", "code", "reason"),
    [
        (
            ["timer"],
            ["timer", "complete"],
            "the code wanted complete after event 5, where the history has nothing more",
        ),
        ([], ["timer"], "the code wanted timer after event 3, where the history has nothing more"),
        (["timer"], [], "the code wanted nothing more where the history has timer at event 5"),
        (["timer", "upsert"], ["upsert", "timer"], "the code wanted upsert where the history has timer at event 5"),
        (["timer"], ["timer"], None),
    ],
)
def test_the_first_difference_is_named(history, code, reason):
    stands = [Command(kind, event_id=5 + n) for n, kind in enumerate(history)]
    wanted = [Command(kind) for kind in code]
    found = divergence([Task(3, stands)], [Task(3, wanted)])
    assert (found.reason if found else None) == reason


def test_what_the_replay_never_came_to_is_not_judged():
    later = Task(9, [Command("complete", event_id=11)])
    assert divergence([Task(3), Task(6), later], [Task(3)]) is None


def test_the_context_of_a_difference_is_short():
    many = [Task(3 * n, [Command("activity", f"step_{n}", event_id=3 * n + 2)]) for n in range(1, 40)]
    wanted = [*many[:-1], Task(many[-1].event_id, [Command("timer", note='"a day"')])]
    found = divergence(many, wanted)
    assert len(found.diff.splitlines()) < 12
    assert '+       timer "a day"' in found.diff
