"""`python -m chaos mutants`: every sabotage is tried on a copy of the tree, and its catcher must fail."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from chaos.mutants.catalogue import MUTANTS
from chaos.mutants.checking import stale
from chaos.mutants.running import Outcome, Tried, try_each

ROOT = Path(__file__).parents[2]
REPORT = Path("mutants-report.json")


def main(arguments: list[str] | None = None) -> int:
    """Try them, or with `--check` only say which do not fit any more; 1 where one is not caught."""
    chosen = _parser().parse_args(arguments)
    if chosen.list:
        for mutant in MUTANTS:
            _line(f"{mutant.classic or '':>4} {mutant.name}: {mutant.breaks}")
        return 0
    if chosen.check:
        return _check()
    unknown = set(chosen.names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        sys.stderr.write(f"no such mutant: {', '.join(sorted(unknown))}\n")
        return 2
    mutants = [each for each in MUTANTS if not chosen.names or each.name in chosen.names]
    tried = try_each(ROOT, mutants, _tell, are_green=chosen.green)
    if not chosen.names:
        chosen.report.write_text(json.dumps(_report(tried), ensure_ascii=False, indent=1) + "\n")
    return _sum_up(tried)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chaos mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="some of them; all otherwise")
    parser.add_argument("--check", action="store_true", help="only whether each still fits the tree, and has a catcher")
    parser.add_argument("--list", action="store_true", help="name them, and say what each breaks")
    parser.add_argument("--green", action="store_true", help="the tests have just passed: not first without the mutant")
    parser.add_argument("--report", type=Path, default=REPORT, help=f"where the list of all goes ({REPORT})")
    return parser


def _check() -> int:
    gone = stale(ROOT, MUTANTS)
    for sentence in gone:
        _line(sentence)
    _line(f"{len(MUTANTS)} mutants, {len(gone)} stale")
    return 1 if gone else 0


def _tell(tried: Tried) -> None:
    _line(f"{tried.outcome:<7}{tried.seconds:5.1f} s  {tried.mutant.name}: {tried.why}")


def _report(tried: Sequence[Tried]) -> dict[str, object]:
    return {"mutants": [each.as_json() for each in tried], **_counted(tried)}


def _counted(tried: Sequence[Tried]) -> dict[str, int]:
    counts = Counter(each.outcome for each in tried)
    return {outcome.value: counts[outcome] for outcome in Outcome}


def _sum_up(tried: Sequence[Tried]) -> int:
    counted = ", ".join(f"{count} {outcome}" for outcome, count in _counted(tried).items() if count)
    _line(f"{len(tried)} mutants: {counted}")
    return 0 if all(each.outcome is Outcome.CAUGHT for each in tried) else 1


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
