"""What rounds came to: `chaos-report.json`, and the same in a few lines."""

import json
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chaos.coverage import coverage, too_seldom
from chaos.processes.mishaps import BLOWS
from chaos.rounds import Round
from chaos.versions import Deploys, Histories, together

SCHEMA = 4
DOUBLE = ("paid_at_most_once", "paid_by_one_order", "started once")
LOST = ("no period lost", "one_fate", "nothing_due_unlisted")
LEAKED = (
    "nothing unexpected kept", "no charge on a replaced key", "answers stay true", "no_charge_after_cancel",
    "no_charge_on_an_ended_key", "no_card_data",
)  # fmt: skip
"""Invariants whose violations are a period paid twice, one that is lost, and money or secrets that leaked."""
LATE_SECONDS = 2 * 86_400


def report_of(
    rounds: Sequence[Round], command: str, *, floor: int = 0, tier: str | None = None, code: str = ""
) -> dict[str, Any]:
    """The whole report as plain values; `invalid` where a mishap or a kill point struck too seldom to be evidence.

    Args:
        rounds: that were lived.
        command: that was asked for.
        floor: strikes that every mishap needs.
        tier: its name, where it is one.
        code: tells the state of the code on which it ran from others.
    """
    judged = [each for one in rounds for each in one.judged]
    broken = Counter(violation.invariant for each in judged for violation in each.broken)
    fired: Counter[str] = Counter()
    commands: Counter[str] = Counter()
    webhooks: Counter[str] = Counter()
    for one in rounds:
        fired.update(one.fired)
        commands.update(one.commands)
        webhooks.update(one.webhooks)
    lateness = sorted(seconds for each in judged for seconds in each.lateness)
    periods = sum(each.periods_due for each in judged)
    seldom = too_seldom(rounds, floor)
    double = sum(broken[name] for name in DOUBLE)
    return {
        "schema": SCHEMA,
        "verdict": "fail" if broken else "invalid" if seldom else "pass",
        "tier": tier,
        "code": code,
        "seeds": sorted(one.seed for one in rounds),
        "subscriptions": len(judged),
        "virtual_days": round(sum(one.virtual_days for one in rounds)),
        "wall_seconds": round(sum(one.seconds for one in rounds)),
        "periods_due": periods,
        "charges": sum(each.charges for each in judged),
        "double": double,
        "lost": sum(broken[name] for name in LOST),
        "late": sum(seconds > LATE_SECONDS for seconds in lateness),
        "leaked": sum(broken[name] for name in LEAKED),
        "broken": dict(broken.most_common()),
        "double_charge_upper_95": 3 / periods if periods and not double else None,
        "lateness_seconds": _spread(lateness),
        "faults_by_kind": {name: fired[name] for name in sorted(fired) if name not in BLOWS},
        "kill_points": {name: fired[name] for name in sorted(fired) if name in BLOWS},
        "too_seldom": {name: {"struck": struck, "at_least": least} for name, (struck, least) in seldom.items()},
        "webhooks_by_disposition": dict(sorted(webhooks.items())),
        "commands": dict(commands.most_common()),
        "deploys": asdict(together((one.deploys for one in rounds), Deploys())),
        "histories": asdict(together((one.histories for one in rounds), Histories())),
        "pairs": coverage(rounds),
        "violations": _violations(rounds),
        "rounds": _met(rounds),
        "reproduce": command,
    }


def _met(rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """What each round is lived again by."""
    return [
        {
            "seed": one.seed,
            "periods": one.periods,
            "uncached": one.uncached,
            "lives": [[[*pair] for pair in life] for life in one.lives],
        }
        for one in sorted(rounds, key=lambda one: one.seed)
    ]


def _violations(rounds: Sequence[Round]) -> list[dict[str, Any]]:
    return [
        {
            "seed": one.seed,
            "subscription": violation.customer_uid or each.customer_uid,
            "period": violation.period,
            "invariant": violation.invariant,
            "says": violation.says,
        }
        for one in rounds
        for each in one.judged
        for violation in each.broken
    ]


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if len(values) < 2:
        return None
    cuts = statistics.quantiles(values, n=100)
    return {"p50": round(cuts[49], 1), "p99": round(min(cuts[98], values[-1]), 1), "max": round(values[-1], 1)}


def _lines_of_versions(deploys: dict[str, int], histories: dict[str, int]) -> list[str]:
    """What was deployed, and what the histories came to; nothing of a run without processes, which deploys nothing."""
    if not histories["made"]:
        return []
    back = f"{deploys['rollbacks']} rollbacks, {deploys['ramps_taken_back']} ramps taken back"
    made = f"{histories['made']} histories made, {histories['replayed']} replay, {histories['failed']} do not"
    return [
        f"{deploys['deploys']} deploys, {back}; {deploys['at_once']} times two versions at once",
        f"{made}; {histories['moved']} carried by more than one version, {histories['patched']} with a patch",
    ]


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Keep it as JSON."""
    path.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def lines_of(report: dict[str, Any]) -> list[str]:
    """The report for a person, in a few lines."""
    pairs, bound, late = report["pairs"], report["double_charge_upper_95"], report["lateness_seconds"]
    size = f"{report['subscriptions']} subscriptions, {report['virtual_days']} days of their time"
    wrong = f"{report['double']} double, {report['lost']} lost, {report['late']} late, {report['leaked']} leaked"
    lines = [
        f"{report['verdict']}: {size}, {report['wall_seconds']} s",
        f"{report['periods_due']} periods due, {report['charges']} charges: {wrong}",
        f"{pairs['covered']} pairs covered of {pairs['planned']} planned, {pairs['of']} in all",
        f"{pairs['missed']} pairs met no call of their step, {pairs['never_came_to']} no such step",
    ]
    if bound is not None:
        lines.append(f"double charges: less than {bound:.1e} of all, with 95 %")
    if late is not None:
        lines.append(
            f"a payment came p50 {late['p50']:.0f} s, p99 {late['p99']:.0f} s, at most {late['max']:.0f} s late"
        )
    if hooks := report["webhooks_by_disposition"]:
        lines.append("webhooks: " + ", ".join(f"{count} {name}" for name, count in hooks.items()))
    lines += _lines_of_versions(report["deploys"], report["histories"])
    lines += [
        f"too seldom: {name}, {times['struck']} times instead of {times['at_least']}"
        for name, times in report["too_seldom"].items()
    ]
    return [*lines, *(f"broken {times} times: {name}" for name, times in report["broken"].items())]
