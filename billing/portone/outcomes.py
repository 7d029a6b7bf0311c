"""The one place that decides what an answer to a call that does something is worth.

| answer | outcome |
|---|---|
| nothing left this machine; 401 after a fresh token; 429; 400, 404, 405 | not executed |
| 200, `code` 0, and the thing is there (a payment: `paid`) | paid, issued, registered, refunded |
| 200, `code` 0, payment `failed`; 200, `code` other than 0 | declined, refused |
| everything else: no answer, 3xx, 5xx, not an envelope, `code` 0 without the thing, a status not known | unknown |

Unknown is never a decline: only a look-up closes it (design section 2).
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from pydantic import ValidationError

from billing.domain.outcomes import ChargeOutcome, KeyOutcome, ScheduleOutcome
from billing.domain.records import RefundState
from billing.portone.http import Answer, NoAnswer
from billing.portone.models import BillingKey, Payment, Schedule, Wire

_NOT_EXECUTED = frozenset({400, 401, 404, 405, 429})


class Worth(StrEnum):
    """What an answer is worth before its content is read."""

    DONE = "done"
    SAID_NO = "said_no"
    NOT_EXECUTED = "not_executed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ChargeAnswer:
    """The outcome of a charge, with the payment when PortOne sent it."""

    outcome: ChargeOutcome
    payment: Payment | None = None
    code: int | None = None
    message: str | None = None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class KeyAnswer:
    """The outcome of issuing a billing key."""

    outcome: KeyOutcome
    key: BillingKey | None = None
    code: int | None = None
    message: str | None = None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class ScheduleAnswer:
    """The outcome of registering, moving or re-booking schedules."""

    outcome: ScheduleOutcome
    schedules: list[Schedule] = field(default_factory=list)
    code: int | None = None
    message: str | None = None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class CancelAnswer:
    """The outcome of a refund."""

    outcome: RefundState
    payment: Payment | None = None
    code: int | None = None
    message: str | None = None
    http_status: int | None = None


def worth_of(answer: Answer | NoAnswer) -> Worth:
    """What an answer is worth, from transport, HTTP status and `code`."""
    if isinstance(answer, NoAnswer):
        return Worth.UNKNOWN if answer.sent else Worth.NOT_EXECUTED
    if answer.http_status in _NOT_EXECUTED:
        return Worth.NOT_EXECUTED
    if answer.http_status != 200 or answer.envelope is None:  # noqa: PLR2004 - HTTP OK
        return Worth.UNKNOWN
    return Worth.DONE if answer.envelope.code == 0 else Worth.SAID_NO


def charge_outcome(answer: Answer | NoAnswer) -> ChargeAnswer:
    """The outcome of `again`, `onetime` or `retry`."""
    payment = _read(Payment, answer)
    by_worth = {Worth.SAID_NO: ChargeOutcome.DECLINED, Worth.NOT_EXECUTED: ChargeOutcome.NOT_EXECUTED}
    outcome = by_worth.get(worth_of(answer), ChargeOutcome.UNKNOWN)
    if worth_of(answer) is Worth.DONE and payment is not None:
        by_status = {"paid": ChargeOutcome.PAID, "failed": ChargeOutcome.DECLINED}
        outcome = by_status.get(payment.status, ChargeOutcome.UNKNOWN)
    code, message, status = _words(answer)
    return ChargeAnswer(outcome, payment, code, message or (payment.fail_reason if payment else None), status)


def key_outcome(answer: Answer | NoAnswer) -> KeyAnswer:
    """The outcome of POST /subscribe/customers/{customer_uid}."""
    key = _read(BillingKey, answer)
    outcome = {
        Worth.DONE: KeyOutcome.ISSUED if key is not None else KeyOutcome.UNKNOWN,
        Worth.SAID_NO: KeyOutcome.REFUSED,
        Worth.NOT_EXECUTED: KeyOutcome.NOT_EXECUTED,
        Worth.UNKNOWN: KeyOutcome.UNKNOWN,
    }[worth_of(answer)]
    return KeyAnswer(outcome, key, *_words(answer))


def schedule_outcome(answer: Answer | NoAnswer) -> ScheduleAnswer:
    """The outcome of `schedule`, PUT `schedule/{merchant_uid}` or `reschedule`.

    The last two answer 400 when they understood and said no, and 500 when PortOne failed inside (facts.md 2.7).
    """
    schedules: list[Schedule] = []
    if isinstance(answer, Answer) and answer.envelope is not None:
        response = answer.envelope.response
        items = response if isinstance(response, list) else [response] if response else []
        try:
            schedules = [Schedule.model_validate(item) for item in items]
        except ValidationError:
            schedules = []
    outcome = {
        Worth.DONE: ScheduleOutcome.REGISTERED if schedules else ScheduleOutcome.UNKNOWN,
        Worth.SAID_NO: ScheduleOutcome.REFUSED,
        Worth.NOT_EXECUTED: ScheduleOutcome.NOT_EXECUTED,
        Worth.UNKNOWN: ScheduleOutcome.UNKNOWN,
    }[worth_of(answer)]
    code, message, status = _words(answer)
    if status in (400, 404) and code is not None:
        outcome = ScheduleOutcome.REFUSED
    return ScheduleAnswer(outcome, schedules, code, message, status)


def cancel_outcome(answer: Answer | NoAnswer) -> CancelAnswer:
    """The outcome of POST /payments/cancel."""
    payment = _read(Payment, answer)
    outcome = {
        Worth.DONE: RefundState.REFUNDED if payment is not None else RefundState.UNKNOWN,
        Worth.SAID_NO: RefundState.REFUSED,
        Worth.NOT_EXECUTED: RefundState.NOT_EXECUTED,
        Worth.UNKNOWN: RefundState.UNKNOWN,
    }[worth_of(answer)]
    return CancelAnswer(outcome, payment, *_words(answer))


Found = TypeVar("Found", bound=Wire)


def _read(kind: type[Found], answer: Answer | NoAnswer) -> Found | None:
    if isinstance(answer, NoAnswer) or answer.envelope is None or not isinstance(answer.envelope.response, dict):
        return None
    try:
        return kind.model_validate(answer.envelope.response)
    except ValidationError:
        return None


def _words(answer: Answer | NoAnswer) -> tuple[int | None, str | None, int | None]:
    if isinstance(answer, NoAnswer):
        return None, answer.words, None
    if answer.envelope is None:
        return None, f"HTTP {answer.http_status} without PortOne's envelope", answer.http_status
    return answer.envelope.code, answer.envelope.message, answer.http_status
