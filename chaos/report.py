"""What rounds came to: `chaos-report.json`, and the same in a few lines."""

import json
import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chaos.faults import MISHAPS, every_pair
from chaos.rounds import Round

SCHEMA = 1
DOUBLE, LOST = "no period paid twice", "no period lost"
LATE_SECONDS = 2 * 86_400
LEAKED = ("no charge after the end", "nothing unexpected kept", "no charge on a replaced key", "answers stay true")


def report_of(rounds: Sequence[Round], command: str) -> dict[str, Any]:
    """The whole report as plain values; `invalid` when fewer than half of the pairs struck where they were to."""
    judged = [each for one in rounds for each in one.judged]
    broken = Counter(violation.invariant for each in judged for violation in each.broken)
    fired: Counter[str] = Counter()
    commands: Counter[str] = Counter()
    for one in rounds:
        fired.update(one.fired)
        commands.update(one.commands)
    struck = sum(len(one.covered) for one in rounds)
    assigned = struck + sum(len(one.missed) for one in rounds)
    covered = {pair for one in rounds for pair in one.covered}
    lateness = sorted(seconds for each in judged for seconds in each.lateness)
    periods = sum(each.periods_due for each in judged)
    return {
        "schema": SCHEMA,
        "verdict": "fail" if broken else "invalid" if 2 * struck < assigned else "pass",
        "seeds": [one.seed for one in rounds],
        "subscriptions": len(judged),
        "virtual_days": round(sum(one.virtual_days for one in rounds)),
        "wall_seconds": round(sum(one.seconds for one in rounds)),
        "periods_due": periods,
        "charges": sum(each.charges for each in judged),
        "double": broken[DOUBLE],
        "lost": broken[LOST],
        "late": sum(seconds > LATE_SECONDS for seconds in lateness),
        "leaked": sum(broken[name] for name in LEAKED),
        "broken": dict(broken.most_common()),
        "double_charge_upper_95": 3 / periods if periods and not broken[DOUBLE] else None,
        "lateness_seconds": _spread(lateness),
        "faults_by_kind": dict(sorted(fired.items())),
        "commands": dict(commands.most_common()),
        "pairs": {
            "of": len(every_pair()),
            "covered": len(covered),
            "missed": len({pair for one in rounds for pair in one.missed} - covered),
            "mishaps_that_never_struck": sorted(
                set(MISHAPS) - {name for pair in covered for name in (pair.first, pair.second)}
            ),
            "covered_at": sorted([*pair] for pair in covered),
        },
        "violations": [
            {
                "seed": one.seed,
                "subscription": violation.customer_uid,
                "period": violation.period,
                "invariant": violation.invariant,
                "says": violation.says,
            }
            for one in rounds
            for each in one.judged
            for violation in each.broken
        ],
        "reproduce": command,
    }


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if len(values) < 2:
        return None
    cuts = statistics.quantiles(values, n=100)
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1), "max": round(values[-1], 1)}


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Keep it as JSON."""
    path.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def lines_of(report: dict[str, Any]) -> list[str]:
    """The report for a person, in a few lines."""
    pairs = report["pairs"]
    bound = report["double_charge_upper_95"]
    size = f"{report['subscriptions']} subscriptions, {report['virtual_days']} days of their time"
    wrong = f"{report['double']} double, {report['lost']} lost, {report['late']} late, {report['leaked']} leaked"
    lines = [
        f"{report['verdict']}: {size}, {report['wall_seconds']} s",
        f"{report['periods_due']} periods due, {report['charges']} charges: {wrong}",
        f"{pairs['covered']} pairs covered of {pairs['of']}, {pairs['missed']} met no call of their step",
    ]
    if bound is not None:
        lines.append(f"double charges: less than {bound:.1e} of all, with 95 %")
    return [*lines, *(f"broken {times} times: {name}" for name, times in report["broken"].items())]
