"""Deploys while everybody lives: a version beside the one before, a ramp, a way back, and what goes wrong in between.

As docs/runbooks/deploy.md has it. Two workers are of the version that is current; the third is of the one before, for
what is pinned to it and for the way back, until it is taken for the next one. An api knows nothing of versions: with
each deploy one of them is started anew, and the other one stays.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from temporalio.service import RPCError

from billing.deployments import OPEN, PINNED, DeploymentRefusedError, WorkerDeployment
from chaos.processes.blow import Blow, Does, Siege, is_taken
from chaos.processes.fleet import APIS, WORKERS, FleetError
from chaos.processes.releases import DEPLOYMENT, Release

SHARES = (10, 50, 90)
"""Percentages of a ramp."""
RAMP_SECONDS = 2.0
"""So long both versions are given work, at least."""
ROUTED_SECONDS = 45.0
"""So long Temporal is waited for until all of its parts know; each version has a worker before it and after it."""
DRAINED_SECONDS = 10.0
"""So long a deploy waits for what is pinned to the version that it takes away."""
TO_THE_FIRST = 0.25
"""How many of the ways back that lead to the product's own code are gone: who always went there never took a patch."""
_AGAIN_SECONDS = 0.2

_Amid = Callable[[Siege, Sequence[str]], Awaitable[bool]]
"""What happens in the middle, to the workers of the newer version; whether it has."""


# ------------------------------------------------------------------ forward and back


def _deploy(amid: _Amid) -> Does:
    async def does(siege: Siege) -> bool:
        return await _deployed(siege, amid)

    return does


async def _deployed(siege: Siege, amid: _Amid) -> bool:
    fleet, first = siege.fleet, await _ramped(siege)
    if first is None:
        return False
    has_happened = await amid(siege, [first])
    await _make_current(siege, fleet.releases[first])
    others = [name for name in WORKERS if name != first]
    await asyncio.gather(_follow(siege, others), fleet.again(siege.draw.choice(APIS)))
    siege.deploys.deploys += 1
    return has_happened


def _roll_back(amid: _Amid) -> Does:
    async def does(siege: Siege) -> bool:
        """Back to the version before; where there is none, or as a rule only the first one, after a deploy."""
        fleet = siege.fleet
        # From a careless release only the first one can carry anything on.
        goes_to_the_first = siege.draw.random() < TO_THE_FIRST or fleet.careless
        while (before := fleet.release_before()) is None or (before == Release() and not goes_to_the_first):
            if not await _deployed(siege, _both_at_work):
                return False
        newer = [name for name in WORKERS if fleet.releases[name] == fleet.current]
        has_happened = await amid(siege, newer)
        await _make_current(siege, before)
        await _follow(siege, newer)
        siege.deploys.rollbacks += 1
        return has_happened

    return does


async def _take_back_a_ramp(siege: Siege) -> bool:
    first = await _ramped(siege)
    if first is None:
        return False
    await _both_at_work(siege, [first])
    await _ramp(siege, siege.fleet.releases[first], 0)
    siege.deploys.ramps_taken_back += 1
    return True


async def _ramped(siege: Siege) -> str | None:
    """The worker of a new version, beside those of the one before, and given a share; None where there is no place."""
    fleet, first = siege.fleet, siege.fleet.spare
    if not await siege.world.until(lambda: _is_drained(siege, fleet.releases[first]), DRAINED_SECONDS):
        return None
    fleet.releases[first] = fleet.next_release()
    fleet.given_work.append(fleet.releases[first])
    await fleet.again(first)
    await _ramp(siege, fleet.releases[first], siege.draw.choice(SHARES))
    siege.deploys.at_once += 1
    return first


async def _is_drained(siege: Siege, release: Release) -> bool:
    """Whether nothing is pinned to a version that is about to lose its last worker."""
    if release == siege.fleet.current:
        return True
    version = f'TemporalWorkerDeploymentVersion = "{DEPLOYMENT}:{release.build_id}"'
    try:
        return (await siege.world.stack.temporal.count_workflows(f"{version} AND {OPEN} AND {PINNED}")).count == 0
    except RPCError:
        return False


async def _follow(siege: Siege, names: Sequence[str]) -> None:
    """One of the others becomes what is current by now."""
    follower = siege.draw.choice(names)
    siege.fleet.releases[follower] = siege.fleet.current
    await siege.fleet.again(follower)


async def _make_current(siege: Siege, release: Release) -> None:
    await _told(siege, lambda: _deployment(siege).make_current(release.build_id))
    siege.fleet.current = release


async def _ramp(siege: Siege, release: Release, percentage: int) -> None:
    await _told(siege, lambda: _deployment(siege).ramp(release.build_id, percentage))


def _deployment(siege: Siege) -> WorkerDeployment:
    return WorkerDeployment(siege.world.stack.temporal, DEPLOYMENT)


async def _told(siege: Siege, tell: Callable[[], Awaitable[None]]) -> None:
    """Tell Temporal, again where it was away or does not know the version yet.

    Raises:
        FleetError: it does not take it.
    """
    why: Exception | None = None
    try:
        async with asyncio.timeout(ROUTED_SECONDS):
            while True:
                try:
                    return await tell()
                except (DeploymentRefusedError, RPCError) as error:
                    why = error
                    await asyncio.sleep(_AGAIN_SECONDS)
    except TimeoutError:
        if why is not None:
            raise FleetError(f"Temporal does not route as it is told: {why}") from None
        # It has taken it, and has not told all of its parts: that is its own matter, and a deploy goes on.
        siege.deploys.unconfirmed += 1


# ------------------------------------------------------------------ in the middle of it


async def _both_at_work(_siege: Siege, _newer: Sequence[str]) -> bool:
    await asyncio.sleep(RAMP_SECONDS)
    return True


async def _newer_killed(siege: Siege, newer: Sequence[str]) -> bool:
    await siege.fleet.kill(*newer)
    return True


async def _older_killed(siege: Siege, newer: Sequence[str]) -> bool:
    await siege.fleet.kill(*(name for name in WORKERS if name not in newer))
    return True


async def _temporal_killed(siege: Siege, _newer: Sequence[str]) -> bool:
    await siege.fleet.kill("temporal")
    return True


async def _amid_a_call(siege: Siege, _newer: Sequence[str]) -> bool:
    """A worker stands still, while the work of its version goes to another one: at a charge, if there is one."""
    for point in ("after mark_sent", "after record"):
        if await is_taken(siege, siege.world.arm(point, "stop", "")):
            return True
    return False


DEPLOYS: Mapping[str, Blow] = {
    "deploy": Blow(
        "a new version beside the one before, ramped, then current; an api is started anew", _deploy(_both_at_work)
    ),
    "deploy, newer killed": Blow(
        "the same, and the worker of the new version is killed in the ramp", _deploy(_newer_killed)
    ),
    "deploy, older killed": Blow("the same, and the workers of the version before are", _deploy(_older_killed)),
    "deploy, Temporal killed": Blow("the same, and Temporal is", _deploy(_temporal_killed)),
    "deploy amid a call": Blow(
        "the same, while a worker stands between mark and request, or between a write and its answer",
        _deploy(_amid_a_call),
    ),
    "ramp taken back": Blow("a new version is ramped, and is given nothing any more", _take_back_a_ramp),
    "rollback": Blow("the version before is current again, after a deploy where none was", _roll_back(_both_at_work)),
    "rollback, newer killed": Blow("the same, and the newer version's workers are killed", _roll_back(_newer_killed)),
    "rollback amid a call": Blow(
        "the same, while a worker stands between mark and request, or between a write and its answer",
        _roll_back(_amid_a_call),
    ),
}
"""Every blow of a deploy, by its name."""
