"""`python -m chaos every-event`: one life with everything in it, disturbed at every point, against the undisturbed one.

A worker dies before and after each activity of the life; a run continues as new after each number of history events;
and workers keep no run in memory, so that every workflow task is taken up by one that has only the history. Each life
must come to the same charges, in PortOne's books and in the ledger.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client

from chaos.deaths import Deaths, Interceptor, Point, whose
from chaos.journal import Call
from chaos.stack import a_dev_server, a_stack
from chaos.telling import BrokenPromiseError, require
from chaos.world import GOOD, PLAN, SOFT, StuckError, World, card

OTHER = "2222"
AT_ONCE = 4
"""Lives that go on side by side, in one product."""

_ASKED_AGAIN = 5
_AGAIN_MINUTES = 13
_TRIES = 4
_SHORT = timedelta(seconds=10)
_OPEN = (None, 202, 503)
_DONE = (200, 201)
_ENDING = 0.9
_TRANSIENT = frozenset({"charge_open", "charge_unknown", "charge_running", "portone_unavailable", "order_not_taken"})
_MONEY = frozenset({"paid", "refunded", "late_paid"})


@dataclass(frozen=True, slots=True)
class CameTo:
    """What a life came to: its end, what the ledger says was paid for which period, and what PortOne holds."""

    status: str
    ledger: tuple[tuple[int | None, int, str], ...]
    portone: tuple[tuple[int, int], ...]
    standing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lived:
    """One life: where it was disturbed, what it came to, and how many activities and events it had; or what broke."""

    point: Point
    came_to: CameTo | None
    activities: int = 0
    events: int = 0
    runs: int = 0
    broken: str | None = None
    died_at: str | None = None


def noon() -> str:
    """A time zone in which it is about noon: a delay of minutes takes no life into another day."""
    ahead = 12 - datetime.now(UTC).hour
    # The names of these zones count westward.
    return "Etc/GMT" if ahead == 0 else f"Etc/GMT{-ahead:+d}"


async def live(world: World, uid: str, zone: str) -> None:
    """Trial, charge, another card, a change, a decline, its retry, a pause, a refund, an undone cancel, the end."""
    await _done(
        world, uid, "/v1/subscriptions", world.start_body(uid, plan={**PLAN, "trial_days": 3, "time_zone": zone})
    )
    await _to_the_next_charge(world, uid)
    await _ordered(world, uid, "payment-method", payment_method={"card": card(OTHER)})
    key = (await world.subscription(uid))["payment_method"]["customer_uid"]
    await _ordered(world, uid, "change-plan", at="now", quantity=2)
    await world.put_card(key, SOFT)
    await _to_the_next_charge(world, uid)
    await world.put_card(key, GOOD)
    await _pass(world, uid, days=1, hours=1)
    await _ordered(world, uid, "pause", at="now")
    await _pass(world, uid, days=5)
    await _ordered(world, uid, "resume")
    paid = [row for row in await world.charges(uid) if row["state"] == "paid"]
    refund = {"amount": 1000, "reason": "사과의 뜻으로"}
    await _done(world, uid, f"/v1/payments/{paid[-1]['merchant_uid']}/refunds", refund)
    await _ordered(world, uid, "cancel", at="period_end")
    await _ordered(world, uid, "undo-cancel")
    await _to_the_next_charge(world, uid)
    await _pass(world, uid, days=2)
    await _ordered(world, uid, "cancel", at="now", refund="prorated")
    await _pass(world, uid, days=1)


async def _to_the_next_charge(world: World, uid: str) -> None:
    shown = await world.subscription(uid)
    due = shown["cycle"]["next_charge_at"]
    require(due is not None, f"nothing is to be charged: {shown['status']}, {shown['cycle']}")
    await _live_until(world, uid, datetime.fromisoformat(due) + timedelta(hours=1))


async def _pass(world: World, uid: str, **distance: float) -> None:
    await _live_until(world, uid, await world.now(uid) + timedelta(**distance))


async def _live_until(world: World, uid: str, instant: datetime) -> None:
    """A clock that stopped on its way, since the machine was too busy to answer it, goes on from there.

    Raises:
        StuckError: it stops again and again.
    """
    for tries_left in reversed(range(_TRIES)):
        left = instant - await world.now(uid)
        if left <= _SHORT:
            return
        try:
            await world.advance(uid, seconds=left.total_seconds())
        except StuckError:
            if not tries_left:
                raise
        else:
            return


async def _ordered(world: World, uid: str, name: str, **body: Any) -> None:
    await _done(world, uid, f"/v1/subscriptions/{uid}/{name}", body or None)


async def _done(world: World, uid: str, path: str, body: Any) -> None:
    """Asked until it is done: what is open is asked for again by its key, what cannot be said yet is asked anew."""
    call, key = await world.call(uid, "POST", path, body), None
    for _ in range(_ASKED_AGAIN):
        if call.status in _DONE or not _is_transient(call):
            break
        if await world.subscription(uid):
            await _pass(world, uid, minutes=_AGAIN_MINUTES)
        key = call.idempotency_key if call.status in _OPEN else None
        call = await world.call(uid, "POST", path, body, again=key)
    require(call.status in _DONE, f"{path} was answered {call.status}: {call.answer}")


def _is_transient(call: Call) -> bool:
    code = call.answer.get("code") if isinstance(call.answer, dict) else None
    return call.status in _OPEN or code in _TRANSIENT


async def _came_to(world: World, uid: str) -> CameTo:
    rows = await world.charges(uid)
    keys = {uid, *(row["customer_uid"] for row in rows)}
    books = [row for key in sorted(keys) for row in await world.books(key) if row["status"] != "failed"]
    standing = [number[-6:] for key in sorted(keys) for number in await world.standing(key)]
    ledger = [(row["cycle"], row["amount"], row["state"]) for row in rows if row["state"] in _MONEY]
    return CameTo(
        (await world.subscription(uid))["status"],
        tuple(sorted(ledger, key=str)),
        tuple(sorted((int(row["amount"]), int(row["cancelled_amount"])) for row in books)),
        tuple(standing),
    )


async def _lived(world: World, deaths: Deaths, uid: str, point: Point, zone: str) -> Lived:
    deaths.points[whose(uid)] = point
    try:
        await live(world, uid, zone)
        came_to = await _came_to(world, uid)
    except (BrokenPromiseError, StuckError, KeyError) as error:
        return Lived(point, None, broken=f"{error!r}", died_at=deaths.died.get(whose(uid)))
    seen = await world.run_seen(whose(uid))
    events, runs = (seen.events, seen.runs) if seen is not None else (0, 0)
    return Lived(point, came_to, deaths.activities[whose(uid)], events, runs, died_at=deaths.died.get(whose(uid)))


def points_of(plain: Lived, every: int = 1) -> list[Point]:
    """Every point of a life, or each `every`-th of each kind."""
    kills = [Point(number, kind) for number in range(1, plain.activities + 1) for kind in ("before", "after")]
    rolls = [Point(events=events) for events in range(4, plain.events + 1)]
    return [*kills[::every], *rolls[::every]]


@contextlib.asynccontextmanager
async def _a_world(temporal: Client, deaths: Deaths, cached_workflows: int) -> Any:
    settings = temporal.config()
    settings["interceptors"] = [Interceptor(deaths)]
    client = Client(**settings)
    with tempfile.TemporaryDirectory(prefix="gudok-every-event-") as folder:
        async with a_stack(client, Path(folder), cached_workflows=cached_workflows) as stack:
            yield World(stack)


async def every_point(
    temporal: Client, tell: Callable[[Lived], None], *, every: int = 1, points: Sequence[Point] | None = None
) -> tuple[Lived, list[Lived]]:
    """The undisturbed life, and each that was disturbed at one point of it.

    Raises:
        BrokenPromiseError: the undisturbed life does not come to its end.
    """
    zone, deaths = noon(), Deaths()
    async with _a_world(temporal, deaths, 1000) as world:
        plain = await _lived(world, deaths, "undisturbed", Point(), zone)
        require(plain.came_to is not None, f"undisturbed: {plain.broken}")
    turns = asyncio.Semaphore(AT_ONCE)
    async with _a_world(temporal, deaths, 0) as world:

        async def one(number: int, point: Point) -> Lived:
            async with turns:
                lived = await _lived(world, deaths, f"disturbed_{number:04}", point, zone)
            tell(lived)
            return lived

        chosen = points_of(plain, every) if points is None else points
        return plain, await asyncio.gather(*(one(number, point) for number, point in enumerate(chosen)))


def differs(plain: Lived, lived: Lived) -> str | None:
    """What a disturbed life came to that the undisturbed one did not; None where it is the same."""
    if lived.came_to is None:
        return lived.broken
    if lived.came_to != plain.came_to:
        return f"{lived.came_to} instead of {plain.came_to}"
    if lived.point.activity is not None and lived.died_at is None:
        return "the life had no such activity: nothing died"
    # What has ended, or is about to, continues no more.
    if lived.point.events is not None and lived.point.events < _ENDING * lived.events and lived.runs < 2:
        return "no run continued as new"
    return None


async def main(every: int, line: Callable[[str], None]) -> int:
    """Every point, told as it goes; 1 where a life came to something else."""
    async with a_dev_server() as server:
        plain, lives = await every_point(
            server.client, lambda lived: line(f"  {lived.point}: {lived.broken or 'lived'}"), every=every
        )
    line(f"undisturbed: {plain.activities} activities, {plain.events} events: {plain.came_to}")
    broken = [(lived, why) for lived in lives if (why := differs(plain, lived)) is not None]
    for lived, why in broken:
        line(f"{lived.point} ({lived.died_at}): {why}")
    kills = sum(lived.point.activity is not None for lived in lives)
    line(
        f"{len(lives)} points, {kills} kills and {len(lives) - kills} runs ended: {len(broken)} came to something else"
    )
    return 1 if broken else 0
