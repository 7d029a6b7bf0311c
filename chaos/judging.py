"""Reads every book about one subscriber and says which promises are broken, with the whole story where one is."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chaos.books import Asked, Books, Charge, Due, Life, Named, Payment, Run
from chaos.faults import mishap_of
from chaos.invariants import Violation, violations
from chaos.lives import Subscriber
from chaos.world import World

_ENDED_FROM_OUTSIDE = "terminated"
_PARKED, _DECIDED = "subscription.parked", "subscription.decided"


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found of one subscriber: what is broken, and the story of it; and how much there was to look at."""

    customer_uid: str
    broken: Sequence[Violation]
    story: Sequence[str]
    periods_due: int
    charges: int
    lateness: Sequence[float]
    due: Sequence[Due] = ()
    tell: Callable[[], Awaitable[Sequence[str]]] | None = None
    """Tells the story later, where something else turns out to be broken."""


async def judge(subscriber: Subscriber) -> Judged:
    """Hold all books of one subscriber against each other."""
    world, uid = subscriber.world, subscriber.uid
    charges = await world.charges(uid)
    keys = list(dict.fromkeys([uid, *(row["customer_uid"] for row in charges)]))
    rows = [row for key in keys for row in await world.books(key)]
    books = await _books(subscriber, charges, rows)
    broken = violations(books)
    if subscriber.stuck:
        broken.append(Violation("comes to rest", uid, "", subscriber.stuck))

    async def tell() -> list[str]:
        return await _story(subscriber, books, keys, rows)

    story = await tell() if broken else []
    return Judged(uid, broken, story, len(books.due), len(rows), list(_lateness(books)), books.due, tell)


async def _books(subscriber: Subscriber, charges: list[dict[str, Any]], rows: list[dict[str, Any]]) -> Books:
    world, uid = subscriber.world, subscriber.uid
    now = await world.now(uid)
    shown = await world.subscription(uid)
    named = await _named(subscriber, {row["merchant_uid"] for row in [*charges, *rows]})
    payments = [
        Payment(
            imp_uid=row["imp_uid"],
            merchant_uid=row["merchant_uid"],
            key=row["customer_uid"],
            amount=int(row["amount"]),
            refunded=int(row["cancelled_amount"]),
            paid_at=datetime.fromtimestamp(row["paid_at"], UTC),
            by_hand=row["imp_uid"] in subscriber.by_hand or row["merchant_uid"] in subscriber.by_hand,
        )
        for row in rows
    ]
    events = await _events(world, uid)
    run = await world.run_seen(f"subscription/{uid}")
    acts = len(subscriber.acts)
    return Books(
        customer_uid=uid,
        now=now,
        payments=payments,
        charges=[_charge(row) for row in charges],
        due=_due(subscriber, shown, now, _end(shown, charges, events)),
        lives=_lives(subscriber, shown),
        told=subscriber.told,
        named=named,
        foreign=[
            Named("event", row["name"], row.get("merchant_uid")) for row in events if row["name"].endswith("_elsewhere")
        ],
        runs=[
            Run(
                run.workflow_id,
                run.events,
                (now - subscriber.acts[0][0]).total_seconds() / 86_400,
                run.failing_attempt,
                commands=len(world.journal.of(uid)),
                faults=acts,
                for_good=sum(mishap_of(name).is_for_good for pair in subscriber.pairs for name in pair[1:]),
            )
        ]
        if run
        else [],
        asked=[Asked(call.does, call.status, call.in_trouble) for call in world.journal.of(uid)],
        touched=frozenset(
            str(call.body.get("merchant_uid")) for call in world.journal.of(uid) if call.does.startswith("console")
        ),
    )


def _due(subscriber: Subscriber, shown: dict[str, Any], now: datetime, ended: datetime | None) -> list[Due]:
    """What ought to have been charged by now; nothing more after a life has ended, for whatever reason."""
    found = []
    for life in subscriber.lives:
        newest = bool(shown) and shown["subscription_id"] == life.life
        found += life.due(min(now, ended) if newest and ended is not None else now)
    return found


def _end(shown: dict[str, Any], charges: list[dict[str, Any]], events: list[dict[str, Any]]) -> datetime | None:
    """From when on the newest life could not be charged any more; None while it may.

    It ended, or a period of it stood parked until then: behind one that waits for a person nothing is ordered.
    """
    if not shown or not shown["ended_at"]:
        return None
    open_period = (shown["subscription_id"], shown["cycle"]["number"])
    numbers = {row["merchant_uid"] for row in charges if (row["subscription_id"], row["cycle"]) == open_period}
    about = [row for row in events if row.get("merchant_uid") in numbers and row["name"] in (_PARKED, _DECIDED)]
    last = max(about, key=lambda row: str(row["at"]), default=None)
    parked = last is not None and last["name"] == _PARKED
    return datetime.fromisoformat(last["at"] if last is not None and parked else shown["ended_at"])


async def _events(world: World, uid: str) -> list[dict[str, Any]]:
    """What was announced."""
    got = await world.stack.api.get(f"/v1/subscriptions/{uid}/timeline", params={"limit": 1000})
    rows = got.json().get("timeline", []) if got.is_success else []
    return [row for row in rows if row["kind"] == "event"]


def _charge(row: dict[str, Any]) -> Charge:
    return Charge(
        merchant_uid=row["merchant_uid"],
        kind=row["kind"],
        key=row["customer_uid"],
        life=row["subscription_id"],
        period=row["cycle"] if row["kind"] not in ("change", "one_time") else None,
        amount=row["amount"],
        state=row["state"],
        imp_uid=row["imp_uid"],
    )


def _lives(subscriber: Subscriber, shown: dict[str, Any]) -> list[Life]:
    """The newest life as the api shows it; of older ones, how their caller was told that they ended."""
    found = []
    for expected in subscriber.lives:
        newest = bool(shown) and shown["subscription_id"] == expected.life
        ended_at = datetime.fromisoformat(shown["ended_at"]) if newest and shown["ended_at"] else None
        found.append(
            Life(
                life=expected.life,
                status=shown["status"] if newest else _ENDED_FROM_OUTSIDE,
                open_period=shown["cycle"]["number"] if newest else None,
                ended_at=ended_at or (None if newest else expected.ends_at),
                may_end=expected.ends_at is not None or expected.uncertain_from is not None,
                left_key=tuple(subscriber.left_keys.get(expected.life, ())),
            )
        )
    return found


async def _named(subscriber: Subscriber, numbers: set[str]) -> list[Named]:
    """What is parked; and what only reconciliation can find, where something outlasted every wait."""
    world, uid = subscriber.world, subscriber.uid
    named = [Named("parked", row["kind"], row["merchant_uid"]) for row in await world.parked(uid)]
    found_late = subscriber.beyond or any(life.terminated_at for life in subscriber.lives)
    if found_late:
        named += [
            Named("reconciliation", row["kind"], row["merchant_uid"])
            for row in await world.differences()
            if row["merchant_uid"] in numbers or str(row["customer_uid"]).startswith(uid)
        ]
    return named


def _lateness(books: Books) -> Iterable[float]:
    """Seconds from a period's day to its payment."""
    for due in books.due:
        numbers = books.numbers_of(due.life, due.period)
        for row in books.payments:
            if row.merchant_uid in numbers and not row.by_hand:
                yield max(0.0, (row.paid_at - due.at).total_seconds())


async def _story(subscriber: Subscriber, books: Books, keys: list[str], rows: list[dict[str, Any]]) -> list[str]:
    """Everything about a subscriber from all books, merged by time."""
    world, uid = subscriber.world, subscriber.uid
    lines = [(at, f"== {what}") for at, what in subscriber.acts]
    lines += [(call.at, f"asked: {call.line()}") for call in world.journal.of(uid)]
    numbers = {row["merchant_uid"] for row in rows} | {row.merchant_uid for row in books.charges}
    lines += [(call.at, call.line()) for call in world.stack.recorder.of({*keys}, numbers)]
    for row in rows:
        at = datetime.fromtimestamp(row["paid_at"], UTC)
        back = f", {row['cancelled_amount']} back" if row["cancelled_amount"] else ""
        lines.append((at, f"PortOne charged {row['amount']} for {row['merchant_uid']} ({row['imp_uid']}{back})"))
    got = await world.stack.api.get(f"/v1/subscriptions/{uid}/timeline", params={"limit": 500})
    for row in got.json().get("timeline", []) if got.is_success else []:
        lines.append((datetime.fromisoformat(row["at"]), f"ledger: {_told(row)}"))
    lines += [(due.at, f"due: period {due.period} of {due.life}, {due.amount}") for due in books.due]
    told = [f"{at:%Y-%m-%d %H:%M:%S} {line}" for at, line in sorted(lines, key=lambda each: each[0])]
    for row in [row for key in keys for row in await world.schedules(key) if row["schedule_status"] == "scheduled"]:
        at = datetime.fromtimestamp(row["schedule_at"], UTC)
        told.append(f"stands: {row['merchant_uid']} on {row['customer_uid']} for {at:%Y-%m-%d %H:%M}")
    told += [f"listed: {row.where} {row.kind} {row.merchant_uid}" for row in books.named]
    return [*told, *(f"ledger charge: {row}" for row in books.charges), *(f"life: {row}" for row in books.lives)]


def _told(row: dict[str, Any]) -> str:
    kept = {name: value for name, value in row.items() if name not in ("at", "id", "data") and value is not None}
    return str(kept)[:300]
