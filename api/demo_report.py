"""What a demo came to: a row for each story, and for one that failed where to look."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.data_folder import log_of

CARD = "4518-4212-3456-"
LAST_FOURS = ("7890", "7891", "7892", "0004", "0005")


@dataclass(frozen=True, slots=True)
class Expected:
    """What a story must come to."""

    charges: int
    status: str


@dataclass(frozen=True, slots=True)
class Ending:
    """What a story came to, from books that were kept apart; `failure` is why it did not get to its end.

    Attributes:
        unequal: order numbers that PortOne's books and the ledger do not say the same of.
        looked_at: where a person looks: the run, and the order number of the current period.
    """

    title: str
    expected: Expected
    charged: int = 0
    written: int = 0
    amount: int = 0
    duplicates: int = 0
    status: str = ""
    unequal: tuple[str, ...] = ()
    failure: str | None = None
    run_url: str = ""
    merchant_uid: str = ""

    @property
    def is_right(self) -> bool:
        """Whether charged by PortOne, written in the ledger and expected are all equal."""
        return (
            self.failure is None
            and not self.unequal
            and self.charged == self.written == self.expected.charges
            and self.duplicates == 0
            and self.status == self.expected.status
        )

    def why_wrong(self) -> str:
        """One sentence for a person; empty when all is right."""
        if self.failure is not None:
            return self.failure
        if self.is_right:
            return ""
        reasons = []
        if self.unequal:
            reasons.append(f"PortOne and the ledger differ about {', '.join(self.unequal)}")
        if self.duplicates:
            reasons.append(f"{self.duplicates} orders were charged twice")
        if self.charged != self.expected.charges:
            reasons.append(f"{self.charged} charges instead of {self.expected.charges}")
        if self.status != self.expected.status:
            reasons.append(f"ends as {self.status} instead of {self.expected.status}")
        return "; ".join(reasons)


def print_report(
    console: Console, folder: Path, endings: Sequence[Ending], leaks: Sequence[str], *, to_start: float, to_bill: float
) -> None:
    """The table, the sum, and what to look at; `to_start` and `to_bill` are seconds."""
    table = Table(title="Charged by PortOne, written in the ledger, expected")
    for heading in ("story", "expected", "PortOne", "ledger", "charged twice", "KRW", "ends as", ""):
        table.add_column(heading, justify="left" if heading in ("story", "ends as", "") else "right", overflow="fold")
    for ending in endings:
        table.add_row(
            ending.title,
            str(ending.expected.charges),
            *(("", "", "", "", "") if ending.failure else _counts(ending)),
            "[green]equal[/]" if ending.is_right else f"[red]{_verdict(ending)}[/]",
        )
    console.print(table)
    total, twice = sum(ending.charged for ending in endings), sum(ending.duplicates for ending in endings)
    console.print(f"{total} charges, {twice} duplicates.")
    console.print(
        f"Files under {folder} that hold a card number of this demo: " + (", ".join(leaks) if leaks else "none"),
        soft_wrap=True,
    )
    wrong = [ending for ending in endings if not ending.is_right]
    for ending in wrong:
        _print_wrong(console, folder, ending)
    if wrong:
        console.print(
            f"\n`gudok up --data {folder}` brings all of it back for a look, at the same addresses.",
            highlight=False,
            soft_wrap=True,
        )
    result = "[green]All equal[/]"
    if wrong:
        result = f"[red]{len(wrong)} of {len(endings)} stories went wrong[/]"
    elif leaks:
        result = "[red]All equal, but a card number was written to a file[/]"
    console.print(f"{result}, after {to_start + to_bill:.0f} s: {to_start:.0f} s to start, {to_bill:.0f} s to bill.")


def _counts(ending: Ending) -> tuple[str, ...]:
    counted = (str(ending.charged), str(ending.written), str(ending.duplicates), f"{ending.amount:,}")
    return (*counted, ending.status)


def _verdict(ending: Ending) -> str:
    return f"FAILED: {escape(ending.failure)}" if ending.failure else "NOT EQUAL"


def _print_wrong(console: Console, folder: Path, ending: Ending) -> None:
    rows = (
        ("why", ending.why_wrong()),
        ("merchant_uid", ending.merchant_uid or "none yet"),
        ("run", ending.run_url),
        ("logs", f"{log_of(folder, 'worker')}, {log_of(folder, 'api')}"),
    )
    console.print(f"\n[red]{ending.title}[/]")
    for name, value in rows:
        console.print(f"  {name:14}{escape(value)}", highlight=False, soft_wrap=True)


def find_card(folder: Path) -> list[str]:
    """The files under a folder that hold one of the demo's cards: plain, spaced, hyphenated, hex or base64."""
    needles = [form for last_four in LAST_FOURS for form in _forms(CARD + last_four)]
    return sorted(str(path) for path in folder.rglob("*") if path.is_file() and _holds(path, needles))


def _holds(path: Path, needles: Sequence[bytes]) -> bool:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        # A running stack's own file that has gone since it was listed.
        return False
    return any(needle in content for needle in needles)


def _forms(card: str) -> list[bytes]:
    spellings = [spelling.encode() for spelling in (card, card.replace("-", ""), card.replace("-", " "))]
    encoded = [spelling.hex().encode() for spelling in spellings]
    # Base64 of a text depends on where in a group of three it begins; the part that does not is looked for.
    encoded += [base64.b64encode(b" " * shift + spelling)[4:-4] for spelling in spellings for shift in range(3)]
    return spellings + encoded
