"""Cycles that all come due at one instant, on real parts: `gudok bench cycles`.

Subscriptions begin with trials that end together; from that instant on the emulator charges, its webhooks arrive, and
each period is settled and the next one registered. Beside it, on the same Temporal server and in the same run, a bare
workflow of the same shape (`bench.bare`). All in real time: nothing is skipped.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from api.clock import SubscriptionClock
from api.history import cycle_costs
from bench.bare import Bare, running_bare
from bench.figures import TIMES, Report
from bench.parts import Parts, running_parts

SAMPLE = "history"
"""The subscription whose history is counted; it lives on a clock of its own."""

MONTHS = 4
AHEAD = timedelta(seconds=70)
"""A charge that is less than a minute ahead is registered for a later instant; so much is left when all have begun."""

DEADLINE_SECONDS = 180
"""From then on a charge that nobody reported is looked for; whatever is settled later was not told of."""

NEAREST, READY = timedelta(seconds=61), timedelta(seconds=4)
BETWEEN_SECONDS, SECONDS_PER_CYCLE, LOOK_SECONDS, LIMIT_SECONDS = 20.0, 0.8, 0.1, 300.0
"""Between two storms there is time for the first one, and for as many bare cycles."""

CALLERS = 16
OK, CREATED, ACCEPTED = 200, 201, 202
BARE = ("temporal", "bare")

Say = Callable[[str], None]


@dataclass(slots=True)
class Run:
    """What measures how much, and where it is noted."""

    parts: Parts
    bare: Bare
    report: Report
    say: Say
    works: list[int]


async def measure(base: int, rounds: int, folder: Path, say: Say) -> Report:
    """Let 1, 4 and 16 times `base` cycles come due, `rounds` times, each beside as many bare ones."""
    report = Report("cycles", f"A settled cycle, at {base} and {base * 4} and {base * 16} due at one instant")
    async with running_parts(folder) as parts, running_bare(parts.temporal, parts.stack.address) as bare:
        run = Run(parts, bare, report, say, [base * times for times in TIMES])
        parts.others["bare"] = bare.pid
        await _history(parts, report)
        await _bare_cycle(bare, parts, CALLERS)
        await parts.measure_idle()
        report.facts["idle_ms_per_second"] = {name: round(each * 1000, 1) for name, each in parts.idle.items()}
        for number in range(1, rounds + 1):
            await _round(run, number)
    _conclude(report)
    return report


async def _round(run: Run, number: int) -> None:
    parts, report = run.parts, run.report
    storms = {work: _uids(number, work) for work in run.works}
    dues = _dues(list(storms), report.facts.get("seconds_per_start", 0.6))
    gate, begun = asyncio.Semaphore(CALLERS), time.monotonic()

    async def one(uid: str, trial_end: datetime) -> None:
        async with gate:
            assert trial_end - datetime.now(UTC) > NEAREST, "the starts took longer than was left for them"
            status, _ = await parts.start(uid, trial_end=trial_end.isoformat())
            assert status in (CREATED, ACCEPTED), f"{uid} was answered {status}"

    await asyncio.gather(*(one(uid, dues[work]) for work, uids in storms.items() for uid in uids))
    report.facts["seconds_per_start"] = round((time.monotonic() - begun) / sum(storms), 3)
    for work, uids in storms.items():
        own = await _storm(parts, uids, dues[work])
        report.runs.append({"what": "cycle", "round": number, **own, **await _webhooks(parts, uids)})
        free = await _bare_cycle(run.bare, parts, work)
        report.runs.append({"what": "bare", "round": number, **free})
        run.say(
            f"round {number}: {work} cycles, {own['cpu_ms']:.0f} ms of CPU each (bare {free['cpu_ms']:.0f}), "
            f"{own['per_second']:.1f}/s (bare {free['per_second']:.1f}), {own['waited_for_deadline']} waited"
        )


def _uids(number: int, work: int) -> list[str]:
    return [f"cycles-{number}-{work}-{place:05d}" for place in range(work)]


def _dues(works: list[int], seconds_per_start: float) -> dict[int, datetime]:
    """An instant for each storm: after every start, far enough ahead to be registered for it, and after the last."""
    first = max(
        timedelta(seconds=works[0] * seconds_per_start * 1.3) + AHEAD,
        timedelta(seconds=5 + sum(works) * seconds_per_start * 1.3),
    )
    due, dues = datetime.now(UTC).replace(microsecond=0) + first, {}
    for work in works:
        dues[work] = due
        due += timedelta(seconds=BETWEEN_SECONDS + work * SECONDS_PER_CYCLE)
    return dues


async def _storm(parts: Parts, uids: list[str], due: datetime) -> dict[str, Any]:
    """Wait until shortly before they are due, and measure until nobody works any more."""
    await parts.rest()
    assert datetime.now(UTC) < due - READY, "the storm before was not over"
    await asyncio.sleep((due - READY - datetime.now(UTC)).total_seconds())
    used, run = await parts.used_ms(len(uids), _settled(parts, uids, due))
    used.pop("bare")
    return {"work": len(uids), "cpu_ms": round(sum(used.values()), 1), "cpu_ms_by_process": used, **run}


async def _settled(parts: Parts, uids: list[str], due: datetime) -> dict[str, Any]:
    """Wait until all are paid, and each waits for its next period."""
    paid = "SELECT count(*) FROM charges WHERE customer_uid LIKE ? AND state = 'paid'"
    whole = "SELECT count(*) FROM subscriptions WHERE customer_uid LIKE ? AND next_charge_at > ? AND status = 'active'"
    whole += " AND cycle_state = 'registered'"
    work, each, seconds = len(uids), _all_of(uids), 0.0
    found = {"paid": (0, 0.0), "whole": (0, 0.0)}
    in_time = 0
    while found["whole"][0] < work and seconds < LIMIT_SECONDS:
        await asyncio.sleep(LOOK_SECONDS)
        seconds = (datetime.now(UTC) - due).total_seconds()
        now = {"paid": parts.ledger(paid, each)[0][0]}
        now["whole"] = parts.ledger(whole, each, f"{due:%Y-%m-%d %H:%M:%S}.999999")[0][0] if now["paid"] else 0
        found = {name: (count, seconds) if count > found[name][0] else found[name] for name, count in now.items()}
        in_time = now["paid"] if seconds < DEADLINE_SECONDS else in_time
    return {
        "seconds": round(seconds, 2),
        "paid": found["paid"][0],
        "paid_per_second": _rate(*found["paid"]),
        "per_second": _rate(*found["whole"]),
        "waited_for_deadline": work - in_time,
    }


def _rate(count: int, seconds: float) -> float:
    # The first look may come before the instant has quite passed by this process's clock.
    return round(count / max(seconds, LOOK_SECONDS), 2)


def _all_of(uids: list[str]) -> str:
    return f"{uids[0].rpartition('-')[0]}-%"


async def _webhooks(parts: Parts, uids: list[str]) -> dict[str, int]:
    """What became of the webhooks of a storm: refused or unanswered at the emulator, never rung at the workflow."""
    of_storm = "SELECT merchant_uid FROM charges WHERE customer_uid LIKE ?"
    orders = {row[0] for row in parts.ledger(of_storm, _all_of(uids))}
    sent = [hook for hook in await parts.emulator("webhooks") if hook["body"]["merchant_uid"] in orders]
    taken = {hook["id"] for hook in sent if hook["status"] == OK}
    not_rung = f"SELECT count(*) FROM webhook_inbox WHERE rung_at IS NULL AND merchant_uid IN ({of_storm})"  # noqa: S608 - our own words
    return {
        "webhooks": len({hook["id"] for hook in sent}),
        "webhooks_lost": len({hook["id"] for hook in sent} - taken),
        "webhooks_not_rung": parts.ledger(not_rung, _all_of(uids))[0][0],
    }


async def _bare_cycle(bare: Bare, parts: Parts, work: int) -> dict[str, Any]:
    handles = await bare.begin(work)
    used, (written, seconds) = await parts.used_ms(work, bare.settle(handles))
    used = {name: ms for name, ms in used.items() if name in BARE}
    events = len((await handles[0].fetch_history()).events)
    await bare.end(handles)
    return {
        "work": work,
        "cpu_ms": round(sum(used.values()), 1),
        "cpu_ms_by_process": used,
        "seconds": round(seconds, 2),
        "paid_per_second": _rate(work, written),
        "per_second": _rate(work, seconds),
        "events": events,
    }


async def _history(parts: Parts, report: Report) -> None:
    """Events, activities and bytes of the last of some monthly cycles on a test clock."""
    status, _ = await parts.start(SAMPLE)
    assert status == CREATED
    clock = SubscriptionClock(parts.temporal, parts.stack.emulator_url, SAMPLE)
    await clock.advance_to(datetime.now(UTC) + timedelta(days=31 * MONTHS), lambda _: None)
    costs, _, _ = await cycle_costs(parts.temporal, SAMPLE)
    each = [{"events": cost.events, "activities": cost.activities, "bytes": cost.bytes} for cost in costs]
    report.facts["history_by_cycle"] = each
    # The least of them: a cycle in which nothing but its charge happened.
    report.facts["history"] = min(each, key=lambda cost: cost["events"])


def _conclude(report: Report) -> None:
    for work in report.works("cycle"):
        report.add(f"{work} due: CPU of a cycle", report.beside("cycle", "bare", work, "cpu_ms", "ms"))
        report.add("  by process", report.by_process("cycle", work))
        report.add("  whole cycles a second", report.beside("cycle", "bare", work, "per_second", "/s", digits=1))
        report.add("  paid a second", report.beside("cycle", "bare", work, "paid_per_second", "/s", digits=1))
        runs = report.of("cycle", work)
        waited, lost, not_rung = (
            sum(run[name] for run in runs) for name in ("waited_for_deadline", "webhooks_lost", "webhooks_not_rung")
        )
        of = f"of {work * len(runs)}"
        report.add("  waited for the deadline", f"{waited} {of}; webhooks: {lost} lost, {not_rung} not rung")
    report.add_growth("CPU grows with the cycles to the power", "cycle", "bare")
    history = report.facts["history"]
    report.add(
        "history of a monthly cycle", "{events} events, {activities} activities, {bytes:,} bytes".format(**history)
    )
