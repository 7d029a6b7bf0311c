"""What happens to processes while everybody lives: each by a name, drawn in turn, and counted when it has happened."""

import asyncio
import contextlib
import resource
import signal
import sqlite3
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from chaos.faults import CALLED
from chaos.processes.blow import Blow, Does, Siege, is_taken
from chaos.processes.deploys import DEPLOYS
from chaos.processes.fleet import APIS, EVERY_PART, OURS, POSTGRESQL, SQLITE, WORKERS

AWAY_SECONDS = 3.0
"""So long something is away, locked, full or slow."""
FLOOD, TWINS = 150, 20
"""Webhooks of one flood, and starts of one customer at once."""
MINUTES_OFF = (-5, -2, 2, 5)
"""How far a wall clock may be off."""
_AT_ONCE = 25


# ------------------------------------------------------------------ killed


def _kill(*names: str) -> Does:
    async def does(siege: Siege) -> bool:
        await siege.fleet.kill(*names)
        return True

    return does


async def _kill_some(siege: Siege) -> bool:
    names = siege.draw.sample(EVERY_PART, siege.draw.choice((2, 3)))
    await siege.fleet.kill(*names, back=tuple(siege.draw.sample(names, len(names))))
    return True


async def _kill_all_of_ours(siege: Siege) -> bool:
    await siege.fleet.kill(*OURS, back=tuple(siege.draw.sample(OURS, len(OURS))))
    return True


# ------------------------------------------------------------------ stopped


def _stop(name: str) -> Does:
    async def does(siege: Siege) -> bool:
        if not siege.fleet.send(name, signal.SIGSTOP):
            return False
        await asyncio.sleep(AWAY_SECONDS)
        siege.fleet.send(name, signal.SIGCONT)
        return True

    return does


async def _stopped_and_the_others_killed(siege: Siege) -> bool:
    """One worker stands between the mark and the request, and the others die meanwhile."""
    armed = siege.world.arm("after mark_sent", "stop", "")
    if not await is_taken(siege, armed):
        return False
    stopped = siege.world.taken[armed[0]]
    others = [name for name in WORKERS if siege.fleet.pid(name) not in (None, stopped)]
    await siege.fleet.kill(*others)
    return bool(others)


# ------------------------------------------------------------------ at a fail point


def _at(point: str, act: str) -> Does:
    async def does(siege: Siege) -> bool:
        return await is_taken(siege, siege.world.arm(point, act, ""))

    return does


# ------------------------------------------------------------------ the command line beside


def _command(*arguments: str, fine: tuple[int, ...] = (0,)) -> Does:
    async def does(siege: Siege) -> bool:
        words = [word.format(folder=siege.fleet.folder, n=siege.happened.total()) for word in arguments]
        code, said = await siege.fleet.command(*words)
        if code not in fine or "Traceback" in said:
            siege.wrong.append(f"gudok {' '.join(words)} exited with {code}: {said[-600:]}")
        return True

    return does


# ------------------------------------------------------------------ the database


async def _database_away(siege: Siege) -> bool:
    before = siege.fleet.between.database
    if before is None:
        return False
    async with before.away():
        await asyncio.sleep(AWAY_SECONDS)
    return True


def _file(siege: Siege) -> Path:
    return Path(siege.fleet.database_url.removeprefix("sqlite:///"))


async def _database_locked(siege: Siege) -> bool:
    """Somebody else writes for longer than anybody waits."""
    with contextlib.closing(sqlite3.connect(_file(siege), timeout=5, isolation_level=None)) as database:
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        await asyncio.sleep(2 * AWAY_SECONDS)
        database.execute("ROLLBACK")
    return True


async def _database_full(siege: Siege) -> bool:
    """No file of ours may grow any more, whoever writes it."""
    pids = [pid for name in OURS if (pid := siege.fleet.pid(name)) is not None]
    sizes = [each.stat().st_size for each in _file(siege).parent.glob(f"{_file(siege).name}*")]
    for pid in pids:
        _most_bytes(pid, min(sizes) or max(sizes))
    await asyncio.sleep(AWAY_SECONDS)
    for pid in pids:
        _most_bytes(pid, resource.RLIM_INFINITY)
    return bool(pids)


def _most_bytes(pid: int, most: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, hard))


# ------------------------------------------------------------------ the network


async def _portone_cut(siege: Siege) -> bool:
    async with siege.fleet.between.portone.away():
        await asyncio.sleep(AWAY_SECONDS)
    return True


async def _portone_swallowed(siege: Siege) -> bool:
    async with siege.fleet.between.portone.swallowing():
        await asyncio.sleep(AWAY_SECONDS)
    return True


async def _portone_slow(siege: Siege) -> bool:
    async with siege.fleet.between.portone.slow(0.7):
        await asyncio.sleep(2 * AWAY_SECONDS)
    return True


async def _apis_cut(siege: Siege) -> bool:
    siege.fleet.between.apis.cut_now()
    async with siege.fleet.between.apis.away():
        await asyncio.sleep(1.0)
    return True


# ------------------------------------------------------------------ floods


async def _webhook_flood(siege: Siege) -> bool:
    """What PortOne has sent so far comes again and again, from many at once."""
    sent = [each for each in await siege.world.control("GET", "webhooks") if each["status"] == 200]
    if not sent:
        return False
    async with _many() as session:
        again = [siege.draw.choice(sent) for _ in range(FLOOD)]
        answers = await asyncio.gather(*(_post(session, each["url"], each["body"], {}) for each in again))
    siege.wrong += [f"a webhook that came again was answered {status}" for status in answers if status == 500]
    return any(status == 200 for status in answers)


async def _twin_starts(siege: Siege) -> bool:
    """One customer is started by many requests at once, each with a key of its own."""
    uid = f"twin{len(siege.twins):03d}_{siege.draw.randrange(10**6)}"
    siege.twins.append(uid)
    body, url = siege.world.start_body(uid), f"{siege.fleet.url}/v1/subscriptions"
    bearer = siege.world.stack.api.headers["Authorization"]
    async with _many() as session:
        heads = [{"Authorization": bearer, "Idempotency-Key": f"{uid}-{n}"} for n in range(TWINS)]
        answers = await asyncio.gather(*(_post(session, url, body, head) for head in heads))
    siege.wrong += [f"one of many starts of {uid} was answered {status}" for status in answers if status == 500]
    return any(status in (201, 202) for status in answers)


@contextlib.asynccontextmanager
async def _many() -> AsyncIterator[aiohttp.ClientSession]:
    connector, patience = aiohttp.TCPConnector(limit=_AT_ONCE), aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=patience) as session:
        yield session


async def _post(session: aiohttp.ClientSession, url: str, body: Any, headers: dict[str, str]) -> int | None:
    try:
        async with session.post(url, json=body, headers=headers) as answer:
            return answer.status
    except (aiohttp.ClientError, TimeoutError):
        return None


# ------------------------------------------------------------------ clocks


async def _clocks_off(siege: Siege) -> bool:
    """A worker and an api go on by a wall clock that is off; whose was off before has the right time again."""
    fleet = siege.fleet
    concerned = {*fleet.clocks}
    fleet.clocks.clear()
    for names in (WORKERS, APIS):
        fleet.clocks[siege.draw.choice(names)] = timedelta(minutes=siege.draw.choice(MINUTES_OFF))
    await asyncio.gather(*(fleet.again(name) for name in sorted(concerned | {*fleet.clocks})))
    return True


# ------------------------------------------------------------------ all of them

_PLACES = ("mark_sent", "record", "receive_webhook", "payment_reported", *CALLED.values())
_POINTS = dict.fromkeys(f"{when} {what}" for what in _PLACES for when in ("before", "after"))

BLOWS: Mapping[str, Blow] = {
    **{f"kill {name}": Blow(f"{name} is killed with -9", _kill(name)) for name in EVERY_PART},
    "kill some": Blow("two or three parts are killed at once, and come back in any order", _kill_some),
    "kill all of ours": Blow("every worker and every api is killed at once, back in any order", _kill_all_of_ours),
    **{
        f"stop {name}": Blow(f"{name} stands still for {AWAY_SECONDS:.0f} s", _stop(name))
        for name in (WORKERS[0], APIS[0], "temporal", "emulator")
    },
    "stop one worker, kill the others": Blow(
        "a worker stands between the mark and the request, and the others are killed", _stopped_and_the_others_killed
    ),
    **{f"killed {point}": Blow(f"whoever comes there dies `{point}`", _at(point, "kill")) for point in _POINTS},
    "audit beside": Blow("`gudok audit` runs beside it", _command("audit", "--json", fine=(0, 1, 2))),
    "backup beside": Blow(
        "`gudok db backup` runs beside it",
        _command("db", "backup", "{folder}/backup-{n}", fine=(0,)),
        frozenset({SQLITE}),
    ),
    "doctor beside": Blow("`gudok doctor` runs beside it", _command("doctor", fine=(0, 1))),
    "reconcile beside": Blow("`gudok reconcile` runs beside it", _command("reconcile", fine=(0, 1))),
    "database away": Blow("nobody reaches the database", _database_away, frozenset({POSTGRESQL})),
    "database locked": Blow("somebody else holds the database's lock", _database_locked, frozenset({SQLITE})),
    "database full": Blow("no file of the ledger can grow", _database_full, frozenset({SQLITE})),
    "PortOne cut": Blow("every connection to PortOne is cut", _portone_cut),
    "PortOne swallowed": Blow("what is sent to PortOne, or back, goes nowhere", _portone_swallowed),
    "PortOne slow": Blow("every piece on the way to PortOne and back takes 0.7 s", _portone_slow),
    "apis cut": Blow("every connection to the apis is cut, webhooks too", _apis_cut),
    "webhook flood": Blow(f"{FLOOD} webhooks come again at once", _webhook_flood),
    "twin starts": Blow(f"one customer is started {TWINS} times at once", _twin_starts),
    "clocks off": Blow("the clocks of a worker and of an api are off by minutes from now on", _clocks_off),
    **DEPLOYS,
}
"""Everything that happens to processes, by its name."""


def blows_of(database: str) -> list[str]:
    """What can happen with a database."""
    return [name for name, blow in BLOWS.items() if database in blow.databases]
