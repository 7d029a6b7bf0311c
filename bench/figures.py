"""What a measurement comes to: medians with their spread, the exponent over the sizes, a table and JSON."""

import json
import math
import os
import platform
import statistics
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

TIMES = (1, 4, 16)
"""The work of a bench, in multiples of its base."""

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, and the least and greatest of them."""

    median: float
    least: float
    greatest: float
    count: int

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """The spread of some values, at least one."""
        known = sorted(values)
        return cls(statistics.median(known), known[0], known[-1], len(known))

    def text(self, digits: int = 0) -> str:
        """`median (least to greatest)`; the median alone where there is only one value."""
        if self.count == 1:
            return f"{self.median:,.{digits}f}"
        return f"{self.median:,.{digits}f} ({self.least:,.{digits}f} to {self.greatest:,.{digits}f})"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of all is not above."""
    known = sorted(values)
    return known[max(0, math.ceil(share * len(known)) - 1)]


def exponent(cost: Mapping[int, float]) -> float | None:
    """How a whole cost grows with the work: 1 is in proportion, 2 as its square; None for less than two sizes.

    The slope of the straight line through the logarithms, by least squares.
    """
    if len(cost) < 2 or min(cost.values()) <= 0:
        return None
    return statistics.linear_regression([math.log(work) for work in cost], [math.log(each) for each in cost.values()])[
        0
    ]


@dataclass(slots=True)
class Report:
    """All that one bench measured: single runs as they came, and lines for a person.

    `runs` are plain values, each with `what`, `round` and `work` besides what was measured.
    """

    bench: str
    title: str
    runs: list[dict[str, Any]] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def of(self, what: str, work: int | None = None) -> list[dict[str, Any]]:
        """The runs of one kind, of one size or of all."""
        return [run for run in self.runs if run["what"] == what and work in (None, run["work"])]

    def works(self, what: str) -> list[int]:
        """The sizes that were measured of a kind, the smallest first."""
        return sorted({run["work"] for run in self.of(what)})

    def spread(self, what: str, work: int, name: str) -> Spread:
        """The spread of one figure over the rounds."""
        return Spread.of(run[name] for run in self.of(what, work))

    def beside(self, what: str, bare: str, work: int, name: str, unit: str, *, digits: int = 0) -> str:
        """One figure beside the bare one, and their ratio, each round for itself."""
        free = {run["round"]: run[name] for run in self.of(bare, work)}
        ratios = [run[name] / free[run["round"]] for run in self.of(what, work) if free[run["round"]]]
        own, beside = (self.spread(each, work, name).text(digits) for each in (what, bare))
        ratio = f": {Spread.of(ratios).text(2)} times" if ratios else ""
        return f"{own} {unit}, bare {beside} {unit}{ratio}"

    def by_process(self, what: str, work: int) -> str:
        """The medians of CPU by process, in one line."""
        runs = [run["cpu_ms_by_process"] for run in self.of(what, work)]
        medians = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        return ", ".join(f"{name} {ms:.0f}" for name, ms in medians.items())

    def growth(self, what: str, name: str) -> float | None:
        """The exponent of a figure that is given for each unit of work."""
        return exponent({work: work * self.spread(what, work, name).median for work in self.works(what)})

    def add_growth(self, line: str, what: str, bare: str) -> None:
        """The exponents of the CPU, where they can be known."""
        grows = {each: self.growth(each, "cpu_ms") for each in (what, bare)}
        self.facts.setdefault("cpu_exponent", {}).update(grows)
        own, beside = ("unknown" if each is None else f"{each:.2f}" for each in grows.values())
        self.add(line, f"{own}, bare {beside}")

    def add(self, what: str, figure: str) -> None:
        """One line of the table."""
        self.lines.append((what, figure))

    def table(self) -> Table:
        """The lines, for a terminal."""
        table = Table(title=self.title, title_justify="left", show_header=False)
        for what, figure in self.lines:
            table.add_row(what, figure)
        return table

    def write(self, path: Path) -> None:
        """Everything as JSON: machine, revision, each run, and the lines."""
        whole = {
            "bench": self.bench,
            "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
            "revision": _revision(),
            "facts": self.facts,
            "runs": self.runs,
            "lines": [{"what": what, "figure": figure} for what, figure in self.lines],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _revision() -> str | None:
    found = subprocess.run(  # noqa: S603 - a fixed command
        ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"],  # noqa: S607 - wherever git is
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or None
