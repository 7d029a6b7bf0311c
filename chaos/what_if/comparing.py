"""The two books of one life against each other, period by period."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from billing.domain.money import Money
from chaos.what_if.books import Books, Line, recorded_books, todays_books
from chaos.what_if.evidence import key_subject, lot_of
from chaos.what_if.recording import Recording
from chaos.what_if.running import Today, lived_today

_KOREA = ZoneInfo("Asia/Seoul")


class Kind(StrEnum):
    """What a comparison comes to."""

    SAME = "same"
    DIFFERS = "differs"
    FAILS = "fails"


@dataclass(frozen=True, slots=True)
class Difference:
    """One row of the table: a period, what was recorded, what today's code makes of it, and why as far as is known.

    `recorded` and `today` are in words; of an order number the lines they were made from are beside them.
    """

    period: str
    recorded: str
    today: str
    why: str
    recorded_lines: tuple[Line, ...] = ()
    today_lines: tuple[Line, ...] = ()


@dataclass(slots=True)
class Compared:
    """One history, and where its money would differ.

    Args:
        name: of the history.
        workflow_id: it ran under.
        kind: whether money differs, or today's code cannot run on.
        differences: period by period.
        assumed: what the recording does not say and was assumed, in words.
        notes: commands that are answered otherwise, and what of the recording today's code has no name for.
        failure: why today's code cannot run on.
        charged: what was paid in the recording, and what would be, in minor units by currency.
        returned: what went back, the same way.
    """

    name: str
    workflow_id: str
    kind: Kind = Kind.SAME
    differences: list[Difference] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failure: str | None = None
    charged: dict[str, tuple[int, int]] = field(default_factory=dict)
    returned: dict[str, tuple[int, int]] = field(default_factory=dict)


def compared(recording: Recording) -> Compared:
    """Live a recording on today's code, and compare the money."""
    before, today = recorded_books(recording), lived_today(recording)
    now = todays_books(recording, today)
    result = Compared(recording.name, recording.workflow_id, failure=today.failure)
    result.differences = _differences(before, now, today)
    result.assumed = [f"{_named(subject)}: {what}" for subject, what in today.assumed]
    result.notes = [
        *today.answers,
        *_other_words(before, now),
        *(f"today's code has no {name}" for name in sorted(recording.foreign)),
    ]
    for currency in {line.amount.currency for books in (before, now) for line in books.lines.values()}:
        result.charged[currency] = (_sum(before, currency, "charged"), _sum(now, currency, "charged"))
        result.returned[currency] = (_sum(before, currency, "returned"), _sum(now, currency, "returned"))
    if today.failure is not None:
        result.kind = Kind.FAILS
    elif result.differences:
        result.kind = Kind.DIFFERS
    return result


def _sum(books: Books, currency: str, what: str) -> int:
    return sum(getattr(line, what) for line in books.lines.values() if line.amount.currency == currency)


def _differences(before: Books, now: Books, today: Today) -> list[Difference]:
    found = []
    for period, numbers in _by_period(before, now).items():
        was = [before.lines[number] for number in numbers if number in before.lines]
        would = [now.lines[number] for number in numbers if number in now.lines]
        if len(was) != len(would) or not all(one.is_as(other) for one, other in zip(was, would, strict=True)):
            why = "; ".join([_kind_of(was, would), *_reasons(numbers, today.parted)])
            found.append(Difference(period, _told(was), _told(would), why, tuple(was), tuple(would)))
    if before.status != now.status:
        found.append(Difference("status", before.status, now.status, "it ends up elsewhere"))
    if before.parked != now.parked:
        then, instead = (", ".join(sorted(parked)) or "-" for parked in (before.parked, now.parked))
        found.append(Difference("parked", then, instead, "not the same stands parked"))
    return found


def _other_words(before: Books, now: Books) -> list[str]:
    """Where the money is the same, and only the ledger calls it otherwise."""
    both = ((before.lines[number], now.lines[number]) for number in sorted({*before.lines} & {*now.lines}))
    return [
        f"{was.period}: the ledger calls {was.merchant_uid} {was.ledger} then, {would.ledger} today"
        for was, would in both
        if was.ledger != would.ledger and was.is_as(would)
    ]


def _by_period(*books: Books) -> Mapping[str, list[str]]:
    """The order numbers of each period, in order."""
    lines = {number: line for each in books for number, line in each.lines.items()}
    periods: dict[str, list[str]] = {}
    for number, line in sorted(lines.items()):
        periods.setdefault(line.period, []).append(number)
    return periods


def _kind_of(was: list[Line], would: list[Line]) -> str:
    """In what the two differ, the weightiest first."""
    if not would:
        return "not ordered today"
    if not was:
        return "not ordered then"
    if [line.merchant_uid for line in was] != [line.merchant_uid for line in would]:
        return "another order number"
    pairs = list(zip(was, would, strict=True))
    words = {
        "another amount": any(one.amount != other.amount for one, other in pairs),
        "another outcome": any(one.outcome != other.outcome for one, other in pairs),
        "another refund": any(one.returned != other.returned for one, other in pairs),
    }
    return ", ".join(word for word, differs in words.items() if differs) or "another day"


def _reasons(numbers: list[str], parted: Mapping[str, str]) -> list[str]:
    """Where the two part, of the orders of one period."""
    known = [number for number in numbers if number in parted]
    return [parted[number] if len(numbers) == 1 else f"{number}: {parted[number]}" for number in known]


def _told(lines: list[Line]) -> str:
    return "\n".join(map(_line, lines)) or "-"


def _line(line: Line) -> str:
    back = f", {Money(line.returned, line.amount.currency)} back" if line.returned else ""
    declined = f", declined {', '.join(map(_day, line.declined))}" if line.declined else ""
    return f"{line.merchant_uid} {line.amount} {_day(line.at)} {line.outcome}{back}{declined}"


def _day(at: datetime | None) -> str:
    return "no day" if at is None else f"{at.astimezone(_KOREA):%Y-%m-%d %H:%M}"


def _named(subject: str) -> str:
    if subject.startswith(key_subject("")):
        return f"billing {subject}"
    lot = lot_of(subject)
    return f"period {lot[1]}" if isinstance(lot, tuple) else f"order {subject}"
