"""What a recording knows of PortOne: which call came to what, and which rows were there at which instant.

A row says something about an order only as far as the run had done what it had done in the recording: each answer is
kept with how many changes of the order went before it (its count), and one that follows a change which today's code
has not made is no evidence for it.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from billing.domain.facts import BillingKeyFact, PaymentFact, ScheduleFact
from billing.domain.merchant_uid import parse_cycle_merchant_uid
from billing.domain.takeover import KeyPayment
from chaos.what_if.recording import REFUND, Call, Recording
from workflows.billing_key.contracts import KeyPaymentsFound, Unscheduled
from workflows.contracts import KeyAnswer, OrderSeen, ScheduleAnswer

IN_STEP = timedelta(minutes=1)
"""So much later than the recorded run today's code may look and still be shown what that one was shown."""

AT_ONCE = timedelta(milliseconds=100)
"""So much earlier it may look: nobody is shown what has not happened yet."""

_OF_ORDERS = frozenset({"register_schedule", "reschedule", "retry_schedule", "charge_again", "unschedule", REFUND})
_DELETED = "delete_billing_key"
_OF_KEYS = frozenset({"issue_billing_key", _DELETED})
_LOOKS_AT_ORDERS = frozenset({"find_payments", "find_schedule", "look_up_order"})
_LOOKS_AT_KEYS = frozenset({"find_billing_key", "list_key_schedules", "has_open_schedules", "list_key_payments"})
_ONE_FOR_ALL = frozenset({"record", "discard_card", "watch_schedules", "report_facts"})


def key_subject(customer_uid: str) -> str:
    """The name under which the changes of a billing key are counted, apart from those of orders."""
    return f"key {customer_uid}"


def changed_by(name: str, args: tuple[Any, ...]) -> tuple[str, ...]:
    """What a call changes at PortOne, its own subject first: an order, or a billing key; () for a call that looks."""
    if name in _OF_KEYS:
        return (key_subject(args[0].customer_uid),)
    if name not in _OF_ORDERS:
        return ()
    with_key = getattr(args[0], "vault_handle", None) is not None
    return (args[0].merchant_uid, *([key_subject(args[0].customer_uid)] if with_key else []))


def looked_at(name: str, args: tuple[Any, ...], order_of: dict[str, str]) -> str | None:
    """The order or the billing key that a call looks at; None where it is neither, or nobody knows whose payment."""
    if name in _LOOKS_AT_ORDERS:
        return str(getattr(args[0], "merchant_uid", args[0]))
    if name in _LOOKS_AT_KEYS:
        return key_subject(getattr(args[0], "customer_uid", args[0]))
    return order_of.get(args[0]) if name == "find_payment" else None


def look_key(name: str, args: tuple[Any, ...]) -> Hashable:
    """What makes two looks the same question."""
    if name in _ONE_FOR_ALL:
        return name
    if name == "list_key_payments":
        return name, args[0].customer_uid
    return name, repr(args)


def lot_of(merchant_uid: str) -> Hashable:
    """What an order number pays for: the period, whichever of its numbers it is; else the number itself."""
    parsed = parse_cycle_merchant_uid(merchant_uid)
    return (parsed[0], parsed[1]) if parsed is not None else merchant_uid


@dataclass(slots=True)
class _Series:
    """The answers to one question, in order; `used` is the last one that was given today."""

    calls: list[Call]
    used: int = -1

    def in_step(self, now: datetime) -> Call | None:
        """The answer that belongs to a look at this instant: the next one, or the last one once more."""
        due = [at for at in range(self.used + 1, len(self.calls)) if self.calls[at].at <= now + AT_ONCE]
        if not due:
            last = self.calls[self.used] if self.used >= 0 else None
            return last if last is not None and abs(last.at - now) <= AT_ONCE else None
        fresh = next((at for at in due if self.calls[at].at >= now - IN_STEP), None)
        self.used = fresh if fresh is not None else due[-1]
        return self.calls[fresh] if fresh is not None else None


@dataclass(frozen=True, slots=True)
class _Seen:
    """A row as an answer showed it: when, and after how many changes of its order or key."""

    row: Any
    at: datetime
    changes: int


class Evidence:
    """A recording, asked by order number, billing key and instant."""

    def __init__(self, recording: Recording) -> None:
        self.changes: dict[str, list[Call]] = defaultdict(list)
        """Every call that changes something, by what it changes, in order."""
        self.order_of: dict[str, str] = {}
        """The order number of each payment that was shown."""
        self._payments: dict[str, dict[str, list[_Seen]]] = defaultdict(lambda: defaultdict(list))
        self._schedules: dict[str, list[_Seen]] = defaultdict(list)
        self._keys: dict[str, list[_Seen]] = defaultdict(list)
        self._series: dict[tuple[Hashable, int], _Series] = {}
        self._attempts: dict[Hashable, list[PaymentFact]] = defaultdict(list)
        self._carry(recording)
        for call in recording.calls:
            for row in rows_in(call.result):
                if isinstance(row, PaymentFact):
                    self.order_of[row.imp_uid] = row.merchant_uid
        for call in recording.calls:
            self._take(call)
        self._note_attempts()

    def _carry(self, recording: Recording) -> None:
        """A run that goes on from an earlier one begins with the charge that stands at PortOne from there."""
        state = recording.args[1] if len(recording.args) > 1 else None
        order = state.period.order if state is not None and state.schedule.stands else None
        self._carried = [order.merchant_uid] if order is not None else []
        if state is not None and order is not None:
            row = ScheduleFact(order.merchant_uid, order.customer_uid, "scheduled", state.period.due_at, order.amount)
            self._schedules[order.merchant_uid].append(_Seen(row, recording.begun, 0))

    def _take(self, call: Call) -> None:
        for subject in changed_by(call.name, call.args):
            self.changes[subject].append(call)
        about = looked_at(call.name, call.args, self.order_of)
        if not changed_by(call.name, call.args):
            key = (look_key(call.name, call.args), self._count(about))
            self._series.setdefault(key, _Series([])).calls.append(call)
        if call.name == "find_billing_key" and call.failure is None and call.seen_at is not None:
            subject = key_subject(call.args[0])
            self._keys[subject].append(_Seen(call.result, call.at, self._count(subject)))
        elif about is not None and _shows_no_schedule(call):
            self._schedules[about].append(_Seen(None, call.at, self._count(about)))
        for row in rows_in(call.result):
            self._show(row, call.seen_at or call.at)

    def _show(self, row: Any, at: datetime) -> None:
        if isinstance(row, BillingKeyFact):
            subject = key_subject(row.customer_uid)
            self._keys[subject].append(_Seen(row, at, self._count(subject)))
            return
        seen = _Seen(row, at, self._count(row.merchant_uid))
        if isinstance(row, ScheduleFact):
            self._schedules[row.merchant_uid].append(seen)
        else:
            self._payments[row.merchant_uid][row.imp_uid].append(seen)

    def _count(self, subject: str | None) -> int:
        return len(self.changes[subject]) if subject is not None else 0

    def _note_attempts(self) -> None:
        for merchant_uid, payments in self._payments.items():
            self._attempts[lot_of(merchant_uid)] += [seen[0].row for seen in payments.values()]
        for rows in self._attempts.values():
            rows.sort(key=lambda row: (_happened(row) or datetime.max.replace(tzinfo=UTC), row.imp_uid))

    # ------------------------------------------------------------ asked

    def next_change(self, subject: str, made: int) -> Call | None:
        """The change of an order or a key that follows those which were made; None where the recording has none."""
        changes = self.changes.get(subject, [])
        return changes[made] if made < len(changes) else None

    def look(self, name: str, args: tuple[Any, ...], made: int, now: datetime) -> Call | None:
        """The recorded look that belongs to this instant, after as many changes; None where there is none."""
        series = self._series.get((look_key(name, args), made))
        return series.in_step(now) if series is not None else None

    def last(self, name: str, args: tuple[Any, ...], now: datetime) -> Call | None:
        """The last answer to a question, whatever was changed since, else the first one after."""
        key = look_key(name, args)
        asked = sorted(
            (call for (each, _), series in self._series.items() if each == key for call in series.calls),
            key=lambda call: call.event_id,
        )
        answered = [call for call in asked if call.seen_at is not None and call.failure is None]
        before = [call for call in answered if call.at <= now + AT_ONCE]
        return next(iter([*before[-1:], *answered[:1]]), None)

    def attempt(self, lot: Hashable, number: int) -> PaymentFact | None:
        """The so-manieth payment of a period (from 0) as it was first shown, or the last of them; None without any."""
        rows = self._attempts.get(lot, [])
        return rows[min(number, len(rows) - 1)] if rows else None

    def has_attempt(self, lot: Hashable, number: int) -> bool:
        """Whether the recording has that many payments of a period."""
        return number < len(self._attempts.get(lot, []))

    def payments(self, merchant_uid: str, made: int, now: datetime) -> list[PaymentFact]:
        """The payments of an order that were there at an instant, as they were then."""
        found = (self._as_it_was(merchant_uid, seen, made, now) for seen in self._payments[merchant_uid].values())
        return [row for row in found if row is not None]

    def payment(self, imp_uid: str) -> PaymentFact | None:
        """A payment as it was shown last."""
        seen = self._payments[self.order_of.get(imp_uid, "")].get(imp_uid)
        return seen[-1].row if seen else None

    def schedule(self, merchant_uid: str, made: int, now: datetime) -> ScheduleFact | None:
        """The schedule of an order as it was at an instant."""
        seen = [each for each in self._schedules[merchant_uid] if each.changes <= made and each.at <= now + AT_ONCE]
        row: ScheduleFact | None = seen[-1].row if seen else None
        if row is None:
            return None
        ran = [each for each in self.payments(merchant_uid, made, now) if _is_of(each, row)]
        if row.status != "scheduled" or not ran:
            return row
        shown = {"ready": None, "cancelled": "paid"}.get(ran[-1].status, ran[-1].status)
        return replace(
            row,
            status="executed",
            payment_status=shown,
            imp_uid=ran[-1].imp_uid,
            fail_reason=ran[-1].fail_reason,
        )

    def key(self, customer_uid: str, made: int, now: datetime) -> BillingKeyFact | None:
        """A billing key as it was shown last."""
        subject = key_subject(customer_uid)
        found = [each for each in self._keys[subject] if each.changes <= made and each.at <= now + AT_ONCE]
        deleted = made and self.changes[subject][:made][-1:] and self.changes[subject][:made][-1].name == _DELETED
        return found[-1].row if found and not (deleted and found[-1].changes < made) else None

    def orders(self) -> Iterable[str]:
        """The order numbers that anything was changed of, and the one that stood at PortOne from before."""
        changed = [subject for subject, calls in self.changes.items() if calls and calls[0].name in _OF_ORDERS]
        return {*changed, *self._carried}

    def _as_it_was(self, merchant_uid: str, seen: list[_Seen], made: int, now: datetime) -> PaymentFact | None:
        there = [each for each in seen if self._is_there(merchant_uid, each, _happened(each.row), made, now)]
        if not there:
            return None
        row: PaymentFact = max(enumerate(there), key=lambda each: (each[1].row.cancelled_amount, each[0]))[1].row
        back = []
        for each in row.cancellations:
            first = next(one for one in seen if each in one.row.cancellations)
            if self._is_there(merchant_uid, first, each.cancelled_at, made, now):
                back.append(each)
        if len(back) == len(row.cancellations):
            return row
        amount = sum(each.amount for each in back)
        return replace(row, cancellations=tuple(back), cancelled_amount=amount, status="cancelled" if back else "paid")

    def _is_there(self, merchant_uid: str, seen: _Seen, happened: datetime | None, made: int, now: datetime) -> bool:
        """Whether something that an answer shows had happened by then, though today's code has made so few changes."""
        shown = seen.at <= now + AT_ONCE
        if happened is None:
            return shown and seen.changes <= made
        return (shown or happened <= now) and min(seen.changes, self._before(merchant_uid, happened)) <= made

    def _before(self, merchant_uid: str, instant: datetime) -> int:
        """How many changes of an order had been asked for by then; PortOne's instants are cut to the second."""
        return sum(call.at.replace(microsecond=0) <= instant for call in self.changes.get(merchant_uid, []))


def rows_in(result: Any) -> Iterator[Any]:
    """The payments, schedules and billing keys in an answer."""
    match result:
        case PaymentFact() | ScheduleFact() | BillingKeyFact():
            yield result
        case list() | tuple():
            for each in result:
                yield from rows_in(each)
        case KeyPayment(payment=row) | ScheduleAnswer(schedule=row) | Unscheduled(row=row):
            yield from rows_in(row)
        case OrderSeen(payments=rows, reported=reported, schedule=schedule):
            yield from rows_in([reported, rows, schedule])
        case KeyAnswer(key=row):
            yield from rows_in(row)
        case KeyPaymentsFound(payments=rows):
            yield from rows_in(rows)


def _shows_no_schedule(call: Call) -> bool:
    if call.failure is not None or call.seen_at is None:
        return False
    if call.name == "look_up_order":
        return call.args[0].with_schedule and call.result.schedule is None
    return call.name == "find_schedule" and call.result is None


def _happened(row: PaymentFact) -> datetime | None:
    return row.failed_at if row.status == "failed" else row.paid_at


def _is_of(payment: PaymentFact, row: ScheduleFact) -> bool:
    happened = _happened(payment)
    return happened is None or happened >= row.schedule_at - IN_STEP
