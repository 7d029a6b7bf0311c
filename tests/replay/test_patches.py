"""A patch comes and goes in steps, and the replay says when the next step may be taken."""

import pytest

from chaos.processes import next_release
from tests.replay import variants
from tests.replay.replaying import replayed, why, with_subscription


@pytest.fixture(autouse=True)
def _without_traces(caplog):
    caplog.set_level("CRITICAL", logger="temporalio")


async def lived(stack, variant, **options):
    """The history of a subscription that a worker with `variant` has billed for a month."""
    await stack.stop_worker()
    await stack.start_worker(workflows=with_subscription(variant), **options)
    uid = await stack.start()
    await stack.advance(uid, days=31)
    assert await stack.agree(uid) == 2
    return await stack.handle(uid).fetch_history()


async def replays(history, variant):
    (result,) = await replayed([history], with_subscription(variant))
    return result.failure is None or why(result)


async def running_with_the_patch(stack):
    query = f'TemporalChangeVersion = "{next_release.PATCH}" AND TaskQueue = "{stack.task_queue}"'
    return (await stack.temporal.count_workflows(query)).count


@pytest.mark.soak
async def test_a_patch_is_taken_back_in_two_steps(stack):
    patched = await lived(stack, next_release.PatchedStep)
    assert await running_with_the_patch(stack) == 1
    assert await replays(patched, variants.DeprecatedPatch) is True
    too_early = await replays(patched, next_release.UnpatchedStep)
    assert f"where the history has patch {next_release.PATCH} at event" in too_early

    deprecated = await lived(stack, variants.DeprecatedPatch)
    assert await replays(deprecated, next_release.UnpatchedStep) is True
    # Temporal counts both kinds of mark: only the replay tells them apart.
    assert await running_with_the_patch(stack) == 2


async def test_a_dark_patch_leaves_no_mark_and_both_sides_of_it_carry_on_what_it_wrote(stack):
    stack.settings = stack.settings.model_copy(update={"dark_patches": (next_release.PATCH,)})
    dark = await lived(stack, next_release.PatchedStep)
    assert await running_with_the_patch(stack) == 0
    for variant in (next_release.PatchedStep, variants.OtherWords):
        assert await replays(dark, variant) is True
