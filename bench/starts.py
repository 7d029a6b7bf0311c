"""Starts by card, sixteen at once, on real parts: `gudok bench starts`.

Beside them, on the same Temporal server and in the same run, a bare workflow with as many calls, started and waited for
in the same way (`bench.bare`). `charged` starts are charged at once; the others begin with a trial.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import EventType

from bench.bare import Bare, running_bare
from bench.figures import TIMES, Report, percentile
from bench.parts import Parts, running_parts
from billing.domain.subscription.start import subscription_workflow_id

AT_ONCE = 16
TRIAL = timedelta(days=30)
KINDS = ("trial", "charged")
BARE = ("temporal", "bare")
CREATED, ACCEPTED = 201, 202

Say = Callable[[str], None]
One = Callable[[int], Awaitable[tuple[float, bool]]]
"""Starts one; answers the seconds until it was answered, and whether its outcome was known by then."""


@dataclass(slots=True)
class Run:
    """What measures, and where it is noted."""

    parts: Parts
    bare: Bare
    report: Report
    say: Say

    async def of(self, kind: str, work: int, number: int, calls: int) -> None:
        """So many starts of one kind, and as many bare ones."""
        parts, bare = self.parts, self.bare

        async def one(place: int) -> tuple[float, bool]:
            return await _start(parts, kind, f"starts-{number}-{kind}-{work}-{place:05d}")

        own = await _measured(parts, work, one, lambda name: name != "bare")

        async def bare_one(_place: int) -> tuple[float, bool]:
            return await bare.start(calls), True

        free = await _measured(parts, work, bare_one, lambda name: name in BARE)
        self.report.runs.append({"what": kind, "round": number, **own})
        self.report.runs.append({"what": f"bare {kind}", "round": number, **free})
        self.say(
            f"round {number}: {work} starts ({kind}), {own['cpu_ms']:.0f} ms of CPU each (bare {free['cpu_ms']:.0f}), "
            f"p50 {own['p50_ms']:.0f} ms, p99 {own['p99_ms']:.0f} ms, {own['per_second']:.1f}/s"
        )


async def measure(base: int, rounds: int, folder: Path, say: Say) -> Report:
    """Start 1, 4 and 16 times `base` subscriptions of each kind, `rounds` times, each beside as many bare ones."""
    report = Report("starts", f"A start by card, {AT_ONCE} at once: {base}, {base * 4} and {base * 16}")
    async with running_parts(folder) as parts, running_bare(parts.temporal, parts.stack.address) as bare:
        parts.others["bare"] = bare.pid
        run = Run(parts, bare, report, say)
        calls = {kind: await _calls(parts, report, kind) for kind in KINDS}
        await asyncio.gather(*(bare.start(calls[KINDS[0]]) for _ in range(AT_ONCE)))
        await parts.measure_idle()
        report.facts["idle_ms_per_second"] = {name: round(each * 1000, 1) for name, each in parts.idle.items()}
        for number in range(1, rounds + 1):
            for work in (base * times for times in TIMES):
                for kind in KINDS:
                    await run.of(kind, work, number, calls[kind])
    _conclude(report)
    return report


async def _calls(parts: Parts, report: Report, kind: str) -> int:
    """How many activities a start of this kind schedules; it warms the parts up, too."""
    uid = f"first-{kind}"
    await _start(parts, kind, uid)
    await parts.rest()
    history = await parts.temporal.get_workflow_handle(subscription_workflow_id(uid)).fetch_history()
    calls = sum(event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED for event in history.events)
    size = sum(event.ByteSize() for event in history.events)
    report.facts[f"history_{kind}"] = {"events": len(history.events), "activities": calls, "bytes": size}
    return calls


async def _start(parts: Parts, kind: str, uid: str) -> tuple[float, bool]:
    trial_end = (datetime.now(UTC) + TRIAL).replace(microsecond=0).isoformat()
    status, seconds = await parts.start(uid, **({"trial_end": trial_end} if kind == "trial" else {}))
    assert status in (CREATED, ACCEPTED), f"{uid} was answered {status}"
    return seconds, status == CREATED


async def _measured(parts: Parts, work: int, one: One, counts: Callable[[str], bool]) -> dict[str, Any]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def gated(place: int) -> tuple[float, bool]:
        async with gate:
            return await one(place)

    async def every_one() -> tuple[list[tuple[float, bool]], float]:
        begun = time.monotonic()
        return list(await asyncio.gather(*(gated(place) for place in range(work)))), time.monotonic() - begun

    used, (answers, seconds) = await parts.used_ms(work, every_one())
    used = {name: ms for name, ms in used.items() if counts(name)}
    took = [seconds for seconds, _ in answers]
    return {
        "work": work,
        "cpu_ms": round(sum(used.values()), 1),
        "cpu_ms_by_process": used,
        "seconds": round(seconds, 2),
        "per_second": round(work / seconds, 2),
        "p50_ms": round(percentile(took, 0.5) * 1000),
        "p99_ms": round(percentile(took, 0.99) * 1000),
        "open": sum(not known for _, known in answers),
    }


def _conclude(report: Report) -> None:
    for kind in KINDS:
        free = f"bare {kind}"
        for work in report.works(kind):
            report.add(f"{work} starts, {kind}: CPU of a start", report.beside(kind, free, work, "cpu_ms", "ms"))
            report.add("  by process", report.by_process(kind, work))
            report.add(f"  p50 with {AT_ONCE} at once", report.beside(kind, free, work, "p50_ms", "ms"))
            report.add(f"  p99 with {AT_ONCE} at once", report.beside(kind, free, work, "p99_ms", "ms"))
            still_open = sum(run["open"] for run in report.of(kind, work))
            report.add("  answered 202, still open", f"{still_open} of {work * len(report.of(kind, work))}")
            report.add("  a second", report.beside(kind, free, work, "per_second", "/s", digits=1))
        report.add_growth(f"{kind}: CPU grows with the starts to the power", kind, free)
        history = report.facts[f"history_{kind}"]
        report.add(f"{kind}: history", "{events} events, {activities} activities, {bytes:,} bytes".format(**history))
