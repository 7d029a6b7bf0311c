"""What was found, for people and for programs."""

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from billing.domain.money import Money
from chaos.what_if.comparing import Compared, Kind

_COLOURS = {Kind.DIFFERS: "red", Kind.FAILS: "red", Kind.SAME: "green"}


@dataclass(slots=True)
class Found:
    """Everything that was compared, and what was not.

    Args:
        compared: each subscription.
        unreadable: histories of subscriptions that today's code cannot read, by name, each with why.
        skipped: histories of other workflows, by their type.
    """

    compared: list[Compared] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def is_same(self) -> bool:
        """Whether no money differs and all of it could be run on."""
        return not self.unreadable and all(each.kind is Kind.SAME for each in self.compared)


def tell(console: Console, one: Compared) -> None:
    """Tell of one history where its money differs, or something of it was assumed or is said otherwise."""
    if one.kind is Kind.SAME and not one.assumed and not one.notes:
        return
    words = {Kind.SAME: "same money", Kind.DIFFERS: "money differs", Kind.FAILS: "cannot be run on"}
    head = Text.assemble((words[one.kind], _COLOURS[one.kind]), f"  {one.name} ({one.workflow_id})")
    console.print(head, soft_wrap=True)
    if one.failure is not None:
        console.print(Text(f"  {one.failure}"), soft_wrap=True)
    if one.differences:
        table = Table("period", "recorded", "today", "why")
        for row in one.differences:
            table.add_row(*map(Text, (row.period, row.recorded, row.today, row.why)))
        console.print(table)
    for what in one.assumed:
        console.print(Text(f"  assumed: {what}"), soft_wrap=True)
    for what in one.notes:
        console.print(Text(f"  {what}"), soft_wrap=True)


def tell_sum(console: Console, found: Found) -> None:
    """Tell how much was compared, what differs in all, and what was left out."""
    kinds = Counter(each.kind for each in found.compared)
    failed = kinds[Kind.FAILS] + len(found.unreadable)
    lines = [
        f"{kinds[Kind.SAME]} of {len(found.compared)} recorded subscriptions come to the same money on this code",
        *([f"{kinds[Kind.DIFFERS]} come to other money"] if kinds[Kind.DIFFERS] else []),
        *([f"{failed} cannot be run on"] if failed else []),
        *_money(found.compared),
        *([f"{sum(bool(each.assumed) for each in found.compared)} rest on assumptions"] if _assumed(found) else []),
    ]
    for name, count in sorted(found.skipped.items()):
        of = "history" if count == 1 else "histories"
        lines.append(f"left out: {count} {of} of {name}; what is run on is SubscriptionWorkflow")
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def tell_unreadable(console: Console, name: str, why: str) -> None:
    """Tell of a history whose messages are not today's."""
    console.print(Text.assemble(("cannot be run on", "red"), f"  {name}: {why}"), soft_wrap=True)


def write_json(path: Path, found: Found) -> None:
    """Write all of it: an object with `same`, `histories`, `unreadable`, `skipped` and `totals`.

    Each of `histories` is a `Compared`, with its fields by their names; amounts are minor units, instants ISO 8601.
    """
    document = {
        "same": found.is_same,
        "histories": [dataclasses.asdict(each) for each in found.compared],
        "unreadable": found.unreadable,
        "skipped": found.skipped,
        "totals": totals(found.compared),
    }
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2, default=datetime.isoformat) + "\n")


def totals(compared: Sequence[Compared]) -> dict[str, dict[str, int]]:
    """By currency, in minor units: charged and returned, then and today."""
    sums: dict[str, Counter[str]] = {}
    for each in compared:
        for what, money in (("charged", each.charged), ("returned", each.returned)):
            for currency, (then, today) in money.items():
                of = sums.setdefault(currency, Counter())
                of[f"{what}_then"] += then
                of[f"{what}_today"] += today
    return {currency: dict(of) for currency, of in sorted(sums.items())}


def _assumed(found: Found) -> bool:
    return any(each.assumed for each in found.compared)


def _money(compared: Sequence[Compared]) -> list[str]:
    lines = []
    for currency, of in totals(compared).items():
        for what, words in (("charged", "charged"), ("returned", "given back")):
            then, today = of[f"{what}_then"], of[f"{what}_today"]
            lines.append(
                f"{words}: {Money(then, currency)} then, {Money(today, currency)} today{_by(then, today, currency)}"
            )
    return lines


def _by(then: int, today: int, currency: str) -> str:
    if then == today:
        return ""
    word = "more" if today > then else "less"
    return f", {Money(abs(today - then), currency)} {word}"
