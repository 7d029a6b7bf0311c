"""What a call that moves money came to: one of four, decided in `decide` and nowhere else.

Only what is proven leaves `unknown`: an answer nobody can read, a connection that broke after the request had begun,
an undocumented status, a body that contradicts itself are all `unknown`, and the caller looks the order up
(reliability.md 3.0). A wrong `unknown` costs a look-up; a wrong `declined` or `not_executed` costs a second charge.
"""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from http import HTTPStatus
from typing import TypedDict

from pydantic import ValidationError

from billing.domain.outcomes import ChargeOutcome, KeyOutcome, ScheduleOutcome
from billing.domain.records import RefundState
from billing.portone.exchange import Answer, Exchange, NoAnswer, NoToken
from billing.portone.models import BillingKey, Payment, RowT, Schedule
from billing.portone.requests import CancelPayment


class Decision(StrEnum):
    """What a money call came to, before it is named for a charge, a key, a schedule or a refund."""

    DONE = "done"
    REFUSED = "refused"
    NOT_EXECUTED = "not_executed"
    UNKNOWN = "unknown"


class Shown(StrEnum):
    """What the `response` of an answer shows, whatever its `code` claims."""

    SUCCESS = "success"
    FAILURE = "failure"
    NOTHING = "nothing"


NEVER_EXECUTED = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
"""Statuses with which a request is turned away before anything is done (facts.md 1.2, reliability.md 3.0)."""


def decide(exchange: Exchange, shown: Shown) -> Decision:
    """The one place where transport error, HTTP status, `code` and `status` become an outcome.

    =====================================================  ============
    no token; no connection, so no byte was sent           not executed
    HTTP 400, 401 (after one refresh), 404, 405, 429       not executed
    HTTP 200, code 0, response shows success               done
    HTTP 200, code 0, response shows failure               refused
    HTTP 200, another code, response shows no success      refused
    everything else                                        unknown
    =====================================================  ============
    """
    if isinstance(exchange, NoToken):
        return Decision.NOT_EXECUTED
    if isinstance(exchange, NoAnswer):
        return Decision.UNKNOWN if exchange.sent else Decision.NOT_EXECUTED
    if exchange.http_status in NEVER_EXECUTED:
        return Decision.NOT_EXECUTED
    if exchange.http_status != HTTPStatus.OK or exchange.code is None:
        return Decision.UNKNOWN
    if exchange.code != 0:
        return Decision.UNKNOWN if shown is Shown.SUCCESS else Decision.REFUSED
    return {Shown.SUCCESS: Decision.DONE, Shown.FAILURE: Decision.REFUSED, Shown.NOTHING: Decision.UNKNOWN}[shown]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What was answered beside an outcome.

    Attributes:
        code: PortOne's `code`; None when it said none.
        message: PortOne's message made readable, or what happened to the connection.
        http_status: None when no answer came.
        retry_after_seconds: With HTTP 429, when PortOne named it.
    """

    code: int | None = None
    message: str | None = None
    http_status: int | None = None
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ChargeAnswer(Said):
    """What a charge came to, and the payment when one was answered. Even `paid` is a hint: look the payment up."""

    outcome: ChargeOutcome
    payment: Payment | None = None


@dataclass(frozen=True, slots=True)
class KeyAnswer(Said):
    """What issuing a billing key came to, and the key when it was issued."""

    outcome: KeyOutcome
    key: BillingKey | None = None


@dataclass(frozen=True, slots=True)
class ScheduleAnswer(Said):
    """What registering, moving or re-booking came to, and the schedules that were answered."""

    outcome: ScheduleOutcome
    schedules: tuple[Schedule, ...] = ()


@dataclass(frozen=True, slots=True)
class CancelAnswer(Said):
    """What a refund came to, and the payment as it then stood."""

    outcome: RefundState
    payment: Payment | None = None


def charge_answer(exchange: Exchange, merchant_uid: str) -> ChargeAnswer:
    """Name the outcome of onetime, again and retry: `status` paid or failed decides, any other word is unknown.

    A row of another order than `merchant_uid` proves nothing and is not passed on.
    """
    payment = _row(Payment, exchange)
    if payment is not None and payment.merchant_uid != merchant_uid:
        payment = None
    shown = {"paid": Shown.SUCCESS, "failed": Shown.FAILURE}.get(payment.status if payment else "", Shown.NOTHING)
    outcome = {
        Decision.DONE: ChargeOutcome.PAID,
        Decision.REFUSED: ChargeOutcome.DECLINED,
        Decision.NOT_EXECUTED: ChargeOutcome.NOT_EXECUTED,
        Decision.UNKNOWN: ChargeOutcome.UNKNOWN,
    }[decide(exchange, shown)]
    return ChargeAnswer(outcome, payment, **_said(exchange))


def key_answer(exchange: Exchange, customer_uid: str) -> KeyAnswer:
    """Name the outcome of issuing a billing key: a readable key of that `customer_uid` is the proof."""
    key = _row(BillingKey, exchange)
    if key is not None and key.customer_uid != customer_uid:
        key = None
    outcome = {
        Decision.DONE: KeyOutcome.ISSUED,
        Decision.REFUSED: KeyOutcome.REFUSED,
        Decision.NOT_EXECUTED: KeyOutcome.NOT_EXECUTED,
        Decision.UNKNOWN: KeyOutcome.UNKNOWN,
    }[decide(exchange, Shown.SUCCESS if key else Shown.NOTHING)]
    return KeyAnswer(outcome, key, **_said(exchange))


def schedule_answer(exchange: Exchange, merchant_uids: Collection[str]) -> ScheduleAnswer:
    """Name the outcome of a schedule call: every one of `merchant_uids` must be answered as scheduled.

    `executed` is no proof: of a charge that was to be booked again it may be the former attempt.
    """
    schedules = _schedules(exchange)
    standing = {row.merchant_uid for row in schedules if row.schedule_status == "scheduled"}
    outcome = {
        Decision.DONE: ScheduleOutcome.REGISTERED,
        Decision.REFUSED: ScheduleOutcome.REFUSED,
        Decision.NOT_EXECUTED: ScheduleOutcome.NOT_EXECUTED,
        Decision.UNKNOWN: ScheduleOutcome.UNKNOWN,
    }[decide(exchange, Shown.SUCCESS if standing.issuperset(merchant_uids) else Shown.NOTHING)]
    return ScheduleAnswer(outcome, schedules, **_said(exchange))


def cancel_answer(exchange: Exchange, request: CancelPayment) -> CancelAnswer:
    """Name the outcome of a refund: the payment must show the refunded amount as taken back.

    A PG that refunds later (Paymentwall, facts.md 3.4) answers code 0 with nothing taken back yet: unknown.
    """
    payment = _row(Payment, exchange)
    outcome = {
        Decision.DONE: RefundState.REFUNDED,
        Decision.REFUSED: RefundState.REFUSED,
        Decision.NOT_EXECUTED: RefundState.NOT_EXECUTED,
        Decision.UNKNOWN: RefundState.UNKNOWN,
    }[decide(exchange, Shown.SUCCESS if payment and _shows_refund(payment, request) else Shown.NOTHING)]
    return CancelAnswer(outcome, payment, **_said(exchange))


def _shows_refund(payment: Payment, request: CancelPayment) -> bool:
    if request.imp_uid not in {None, payment.imp_uid}:
        return False
    if request.imp_uid is None and request.merchant_uid != payment.merchant_uid:
        return False
    refunded = payment.cancel_amount
    expected = Decimal(request.amount.on_wire())
    if request.checksum is not None:
        # What had been refunded before is the amount less what could still be refunded.
        expected += payment.amount - request.checksum.on_wire()
    return payment.currency.upper() == request.amount.currency and refunded >= expected


def _row(model: type[RowT], exchange: Exchange) -> RowT | None:
    if not isinstance(exchange, Answer) or not isinstance(exchange.response, dict):
        return None
    try:
        return model.model_validate(exchange.response)
    except ValidationError:
        return None


def _schedules(exchange: Exchange) -> tuple[Schedule, ...]:
    if isinstance(exchange, Answer) and isinstance(exchange.response, list):
        try:
            return tuple(Schedule.model_validate(row) for row in exchange.response)
        except ValidationError:
            return ()
    row = _row(Schedule, exchange)
    return () if row is None else (row,)


class _SaidFields(TypedDict):
    code: int | None
    message: str | None
    http_status: int | None
    retry_after_seconds: float | None


def _said(exchange: Exchange) -> _SaidFields:
    if isinstance(exchange, NoToken):
        said = _said(exchange.cause)
        said["message"] = f"no access token: {said['message'] or 'refused'}"
        return said
    if isinstance(exchange, NoAnswer):
        return {"code": None, "message": exchange.trouble, "http_status": None, "retry_after_seconds": None}
    return {
        "code": exchange.code,
        "message": exchange.message or exchange.trouble,
        "http_status": exchange.http_status,
        "retry_after_seconds": exchange.retry_after_seconds,
    }
