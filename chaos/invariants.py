"""What only the harness can judge of one subscriber: by its journal, its own calendar, and what it has done itself.

What the books alone say is judged by `billing.domain.audit`, the library of production; `chaos.audited` asks it.
Pure functions over plain rows: nothing here asks anybody. Whoever calls has read PortOne's books, the ledger, the lists
that a person reads and what Temporal says. A violation names the invariant, the subscription, the period.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from chaos.books import Books

SLA = timedelta(days=2)
"""So long after its day a period may be neither paid nor on a list."""
TOGETHER = timedelta(seconds=5)
"""Clocks that run on while they are read differ by less."""
A_LADDER = 9 * 8 * 12
"""Events of a charge that is refused for good: sent nine times, looked for eight times each, a dozen events a look."""
EARLY = timedelta(seconds=60)
"""PortOne's clock and the run's stand so near to each other around an instant at which both do something."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One promise that is broken."""

    invariant: str
    customer_uid: str
    period: str
    says: str


Check = Callable[[Books], Iterator[tuple[str, str]]]

OPEN = frozenset({"past_due", "unpaid", "paused", "incomplete", "incomplete_expired", "canceled", "expired"})
"""Statuses that say of the open period why it is not paid; every list of subscriptions shows them."""
FOREIGN = frozenset({"schedule_revoked", "refunded_elsewhere"})
"""What is parked because somebody else is said to have done it."""
UNPAID = frozenset({"declined", "skipped", "revoked", "unknown", "not_executed", "mismatch", "refunded", "late_paid"})
"""States of a charge that say why it is not paid."""


def violations(books: Books) -> list[Violation]:
    """Every promise that these books break."""
    return [
        Violation(name, books.customer_uid, period, says)
        for name, check in CHECKS.items()
        for period, says in check(books)
    ]


def _no_period_is_lost(books: Books) -> Iterator[tuple[str, str]]:
    """Every period that is due is paid, or stands in a state that a list shows."""
    for due in books.due:
        if due.at > books.now - SLA:
            continue
        numbers = books.numbers_of(due.life, due.period)
        paid = [row for row in books.payments if row.merchant_uid in numbers and row.held > 0]
        if not paid and not _is_named(books, due.life, due.period, numbers):
            life = next((each for each in books.lives if each.life == due.life), None)
            states = sorted(row.state for row in books.charges if row.merchant_uid in numbers)
            status = life.status if life else "no such life"
            yield f"{due.life}/{due.period}", f"due {due.at:%Y-%m-%d %H:%M}, not paid, on no list; {status}, {states}"


def _is_named(books: Books, life: str, period: int, numbers: set[str]) -> bool:
    if any(each.merchant_uid in numbers or each.merchant_uid is None for each in books.named):
        return True
    # Behind a period that waits for a person nothing is ordered: it is that one which the list shows.
    before = {row.merchant_uid for row in books.charges if row.life == life and row.period and row.period < period}
    if any(each.where == "parked" and each.merchant_uid in before for each in books.named):
        return True
    lives = [each for each in books.lives if each.life == life]
    if any(each.status in OPEN and each.open_period in (None, period) for each in lives):
        return True
    states = {row.state for row in books.charges if row.merchant_uid in numbers}
    return bool(states) and states <= UNPAID


def _nothing_unexpected_is_kept(books: Books) -> Iterator[tuple[str, str]]:
    """Money that pays for no period of ours is given back, or a list names it."""
    for row in books.payments:
        charge = books.charge_of(row.merchant_uid)
        if row.held > 0 and charge is None and not books.is_named(row.merchant_uid):
            yield row.merchant_uid, f"{row.held} are held of an order that the ledger does not know"


def _never_early(books: Books) -> Iterator[tuple[str, str]]:
    """Nothing is charged before its day."""
    for due in books.due:
        numbers = books.numbers_of(due.life, due.period)
        for row in books.payments:
            if row.merchant_uid in numbers and not row.by_hand and row.held > 0 and row.paid_at < due.at - EARLY:
                yield f"{due.life}/{due.period}", f"charged {row.paid_at:%Y-%m-%d %H:%M:%S}, due {due.at}"


def _no_charge_on_a_replaced_key(books: Books) -> Iterator[tuple[str, str]]:
    """After a confirmed change of the card nothing is charged to the old one."""
    for life in books.lives:
        for key, since in life.left_key:
            for row in books.payments:
                if row.key == key and row.paid_at > since + TOGETHER and row.held > 0 and not row.by_hand:
                    yield life.life, f"{row.held} charged to {key} at {row.paid_at}, replaced {since}"


def _answers_stay_true(books: Books) -> Iterator[tuple[str, str]]:
    """What a command's answer said about the charge is what the books say afterwards."""
    for told in books.told:
        rows = [row for row in books.payments if row.merchant_uid == told.merchant_uid]
        until = told.void_from or books.now
        after = [row for row in rows if told.at + TOGETHER < row.paid_at < until and row.held > 0 and not row.by_hand]
        match told.charge:
            case "revoked" | "none_planned" | "declined" if after and not books.is_named(told.merchant_uid):
                yield told.merchant_uid, f"{told.command} was told {told.charge}, charged {after[0].paid_at} and kept"
            case "paid" if not any(row.imp_uid == told.imp_uid for row in rows) and told.imp_uid:
                yield told.merchant_uid, f"{told.command} was told paid by {told.imp_uid}, which PortOne has not"
            case _:
                continue


def _commands_are_heard(books: Books) -> Iterator[tuple[str, str]]:
    """Every command is answered, also while something is broken; without trouble it never fails."""
    for asked in books.asked:
        if asked.status is None:
            yield asked.does, "nobody answered"
        elif asked.status >= 500 and not asked.in_trouble:
            yield asked.does, f"answered {asked.status}, and nothing was broken"


def _histories_are_bounded(books: Books) -> Iterator[tuple[str, str]]:
    """No history grows without something happening, and no workflow task fails for ever."""
    for run in books.runs:
        bound = 250 + 60 * run.commands + 120 * run.faults + A_LADDER * run.for_good + 25 * run.days
        if run.events > bound:
            yield run.workflow_id, f"{run.events} events in {run.days:.0f} days, at most {bound:.0f}"
        if run.failing_attempt > 3:
            yield run.workflow_id, f"its workflow task fails for the {run.failing_attempt}th time"


def _ours_is_not_called_foreign(books: Books) -> Iterator[tuple[str, str]]:
    """Nothing is said to be done by somebody else that nobody but us has done."""
    parked = [each for each in books.named if each.where == "parked" and each.kind in FOREIGN]
    for each in [*parked, *books.foreign]:
        touched = bool(books.touched) if each.merchant_uid is None else each.merchant_uid in books.touched
        if not touched:
            yield each.merchant_uid or "", f"{each.where} {each.kind}, and no person has touched it"


def _nothing_ends_unasked(books: Books) -> Iterator[tuple[str, str]]:
    """A life ends when somebody asks for it, or when its period could not be paid."""
    for life in books.lives:
        rows = [row for row in books.charges if row.life == life.life]
        unpaid = any(row.state in UNPAID for row in rows)
        if life.ended_at is not None and not life.may_end and not unpaid:
            yield life.life, f"{life.status} since {life.ended_at}, and nobody asked for it"


CHECKS: dict[str, Check] = {
    "no period lost": _no_period_is_lost,
    "nothing unexpected kept": _nothing_unexpected_is_kept,
    "never early": _never_early,
    "no charge on a replaced key": _no_charge_on_a_replaced_key,
    "answers stay true": _answers_stay_true,
    "commands are heard": _commands_are_heard,
    "histories are bounded": _histories_are_bounded,
    "ours is not called foreign": _ours_is_not_called_foreign,
    "nothing ends unasked": _nothing_ends_unasked,
}
"""Every invariant of the harness by its name; each says (period or order, what is wrong)."""
