"""PortOne against the ledger and the workflows, both ways, one order, one key or one run at a time; pure.

Two kinds of functions. `compare_*` judge: given everything that both sides have of one subject, looked up afresh, they
answer every difference there is. `*_is_suspicious` only choose: given one row of a list, and what the ledger has, they
say whether its order is worth that fresh look. A row that differs is always suspicious; one that is suspicious need
not differ, since the list, the ledger and the workflow were not read at the same instant.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from billing.domain.both_sides import BOOKED, STANDS, Leeway, OrderHere, OrderThere, RunSays
from billing.domain.differences import Difference, Found
from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.money import Money
from billing.domain.records import ChargeKind, SubscriptionRecord
from billing.domain.states import ENDED, CycleState, SubscriptionStatus
from billing.domain.verdict import net_amount, returned_amount

_OPEN = frozenset({CycleState.PLANNED, CycleState.GATED, *STANDS})
_MAY_STAND = frozenset({CycleState.PLANNED, CycleState.DECLINED, CycleState.UNKNOWN})
_FIRST = datetime.min.replace(tzinfo=UTC)


def compare_order(here: OrderHere, there: OrderThere, now: datetime, leeway: Leeway) -> list[Found]:
    """Every difference about one order number; none for an order that is not ours.

    Args:
        here: what the ledger has, and what the workflow says.
        there: what PortOne has, looked up after the workflow was asked.
        now: aware UTC, by the clock that the order lives by.
        leeway: how far apart counts.
    """
    if not here.is_ours:
        return []
    found = _about_money(here, there, now, leeway)
    if here.run is not None:
        found += _about_schedule(here, here.run, there, now, leeway)
    holding = any(net_amount(row) for row in there.payments)
    return found or ([] if holding else _about_time(here, now, leeway))


def compare_key(subscription: SubscriptionRecord, customer_uid: str, *, at_portone: bool) -> Found | None:
    """The difference about the key of a living subscription, which the ledger has as not deleted."""
    if at_portone or subscription.status in ENDED or subscription.status is SubscriptionStatus.INCOMPLETE:
        return None
    here = OrderHere(merchant_uid="", customer_uid=customer_uid, subscription=subscription)
    return _found(here, Difference.KEY_DELETED_ELSEWHERE, "no such billing key", f"charges {customer_uid}")


def compare_run(subscription: SubscriptionRecord, *, running: bool) -> Found | None:
    """The difference about the workflow of a subscription that the ledger says lives."""
    if running or subscription.status in ENDED:
        return None
    here = OrderHere(merchant_uid="", customer_uid=subscription.customer_uid, subscription=subscription)
    return _found(
        here,
        Difference.WORKFLOW_MISSING,
        "was not asked",
        f"{subscription.status.value}, and {subscription.workflow_id} does not run",
        detail=subscription.subscription_id,
    )


def payment_is_suspicious(here: OrderHere, row: PaymentFact) -> bool:
    """Whether a payment in PortOne's list is worth a fresh look at its order."""
    if not here.is_ours:
        return False
    held, returned = net_amount(row), returned_amount(row)
    booked = here.state in BOOKED or here.state is CycleState.REFUNDED
    if booked and row.imp_uid == here.imp_uid:
        ours = here.refunded(row.imp_uid)
        most = row.amount.amount if here.state is CycleState.REFUNDED else ours.done + ours.in_doubt
        return row.amount != here.amount or not (held or returned) or not ours.done <= returned <= most
    # Booked without a payment's number, it may be this one: only the fresh look can tell.
    seen_to_go = here.knows(row) and not (booked and here.imp_uid is None)
    return held > 0 or (returned > 0 and not seen_to_go)


def schedule_is_suspicious(here: OrderHere, row: ScheduleFact, leeway: Leeway) -> bool:
    """Whether a schedule in PortOne's list is worth a fresh look at its order."""
    if not here.is_ours:
        return False
    planned_at = here.planned_at if here.is_current else None
    if row.status == "scheduled":
        as_ordered = row.amount == here.amount and row.customer_uid == here.customer_uid
        may_stand = here.state in _MAY_STAND and not here.is_gated
        return not (planned_at and as_ordered and may_stand and abs(row.schedule_at - planned_at) <= leeway.apart)
    if row.status == "revoked":
        return planned_at is not None and here.state is not CycleState.REVOKED
    return planned_at is not None and not here.failed(row.imp_uid)


# ---------------------------------------------------------------- money


def _about_money(here: OrderHere, there: OrderThere, now: datetime, leeway: Leeway) -> list[Found]:
    rows = list(there.payments)
    if here.state is CycleState.MISMATCH:
        # A person is told of these already, and the period stands until they have decided.
        back = [row for row in rows if here.knows_less_returned(row)]
        added = [row for row in rows if row not in back and not here.knows(row)]
        told = [_refunded_elsewhere(here, row) for row in back if returned_amount(row) > _ours(here, row)]
        return [*told, *_about_unbooked_money(here, added, there.schedule, now, leeway)]
    if here.state in BOOKED or here.state is CycleState.REFUNDED:
        return _about_booked_money(here, rows)
    return _about_unbooked_money(here, rows, there.schedule, now, leeway)


def _about_unbooked_money(
    here: OrderHere, rows: Sequence[PaymentFact], schedule: ScheduleFact | None, now: datetime, leeway: Leeway
) -> list[Found]:
    holding = sorted((row for row in rows if net_amount(row)), key=lambda row: (row.paid_at or _FIRST, row.imp_uid))
    if not holding:
        back = [row for row in rows if returned_amount(row) > _ours(here, row) and not here.knows(row)]
        return [_refunded_elsewhere(here, row) for row in back]
    first, *more = holding
    found = [_paid_twice(here, row, f"beside {first.imp_uid}") for row in more]
    if first.paid_at is not None and now - first.paid_at < leeway.settle:
        return found
    kind = _kind_of_unbooked(here, first, schedule, leeway)
    known = "no order of ours" if here.amount is None else f"ordered {here.amount}, {here.state or 'not opened'}"
    detail = str(first.amount) if kind is Difference.AMOUNT_DIFFERS else ""
    return [_of_payment(here, kind, first, known, detail=detail), *found]


def _about_booked_money(here: OrderHere, rows: Sequence[PaymentFact]) -> list[Found]:
    moved = [row for row in rows if net_amount(row) or returned_amount(row)]
    mine = next((row for row in moved if here.imp_uid in (None, row.imp_uid)), None)
    found = [_paid_twice(here, row, f"paid by {here.imp_uid}") for row in moved if row is not mine and net_amount(row)]
    if mine is None:
        if here.state in BOOKED:
            booked = f"paid {here.amount} by {here.imp_uid}"
            found.append(
                _found(
                    here, Difference.PAID_HERE_NOT_AT_PORTONE, "no such payment", booked,
                    imp_uid=here.imp_uid or "", amount=here.amount,
                )
            )  # fmt: skip
        return found
    ours, returned = here.refunded(mine.imp_uid), returned_amount(mine)
    if mine.amount != here.amount:
        found.append(
            _of_payment(here, Difference.AMOUNT_DIFFERS, mine, f"ordered {here.amount}", detail=str(mine.amount))
        )
    if returned > ours.done + ours.in_doubt and here.state is not CycleState.REFUNDED:
        found.append(_refunded_elsewhere(here, mine))
    if returned < ours.done:
        missing = Money(ours.done - returned, mine.amount.currency)
        found.append(
            _of_payment(here, Difference.REFUND_MISSING, mine, f"refunded {missing} more", detail=str(missing))
        )
    return found


def _kind_of_unbooked(here: OrderHere, row: PaymentFact, schedule: ScheduleFact | None, leeway: Leeway) -> Difference:
    planned_at = here.planned_at
    by_schedule = schedule is not None and schedule.imp_uid == row.imp_uid
    # A period that stands declined has no attempt registered: whatever schedule ran, it was not ours.
    stands_declined = here.run is not None and here.run.cycle_state is CycleState.DECLINED and by_schedule
    in_time = planned_at is not None and (row.paid_at or planned_at) >= planned_at - leeway.apart
    planned = in_time and not stands_declined
    kind = Difference.EXECUTED_OR_RETRIED_ELSEWHERE
    if here.amount is None:
        twice = _pays_a_paid_period(here, row)
        kind = Difference.PAID_TWICE if twice else Difference.PAID_AT_PORTONE_UNKNOWN_HERE
    elif row.amount != here.amount:
        kind = Difference.AMOUNT_DIFFERS
    elif here.period_paid_by is not None:
        kind = Difference.PAID_TWICE
    elif here.failed(row.imp_uid):
        kind = Difference.LATE_APPROVAL
    elif planned:
        kind = Difference.PAID_AT_PORTONE_UNKNOWN_HERE
    elif not here.is_living and not by_schedule:
        kind = Difference.LATE_APPROVAL
    return kind


def _pays_a_paid_period(here: OrderHere, row: PaymentFact) -> bool:
    """Whether somebody else took the plan's price from the key within a period that is paid: whatever its number."""
    subscription = here.subscription
    if subscription is None or row.paid_at is None or not here.is_living:
        return False
    start, end = subscription.current_period_start, subscription.current_period_end
    if start is None or end is None or subscription.status is SubscriptionStatus.TRIALING:
        return False
    key = subscription.billing_key or subscription.customer_uid
    price = Money(subscription.plan.price.amount * subscription.life.quantity, subscription.plan.price.currency)
    return start <= row.paid_at < end and (row.customer_uid, row.amount) == (key, price)


def _ours(here: OrderHere, row: PaymentFact) -> int:
    ours = here.refunded(row.imp_uid)
    return ours.done + ours.in_doubt


def _refunded_elsewhere(here: OrderHere, row: PaymentFact) -> Found:
    ours = Money(_ours(here, row), row.amount.currency)
    beyond = Money(returned_amount(row) - ours.amount, row.amount.currency)
    return _of_payment(
        here, Difference.REFUNDED_ELSEWHERE, row, f"refunded {ours} from here", detail=str(beyond), amount=beyond
    )


def _paid_twice(here: OrderHere, row: PaymentFact, why: str) -> Found:
    return _of_payment(here, Difference.PAID_TWICE, row, why)


# ---------------------------------------------------------------- schedules and time


def _about_schedule(here: OrderHere, run: RunSays, there: OrderThere, now: datetime, leeway: Leeway) -> list[Found]:
    row = there.schedule
    if here.is_current and not run.running:
        # Its workflow is missing, which is told by itself: what it had planned nobody can say.
        return []
    planned_at = run.next_charge_at if run.running and run.merchant_uid == here.merchant_uid else None
    stands = planned_at is not None and run.cycle_state in STANDS
    moved = any(net_amount(payment) or returned_amount(payment) for payment in there.payments)
    if row is None:
        missing = stands and run.cycle_state is CycleState.REGISTERED and not moved
        return [_found(here, Difference.SCHEDULE_MISSING, "no schedule", _plan(planned_at))] if missing else []
    if row.status == "revoked":
        return [_found(here, Difference.SCHEDULE_REVOKED_ELSEWHERE, "revoked", _plan(planned_at))] if stands else []
    if row.status == "scheduled":
        return _about_standing_schedule(here, run, row, planned_at, leeway)
    early = stands and planned_at is not None and now < planned_at - leeway.apart
    if early and not moved and not here.failed(row.imp_uid):
        ran = f"ran: {row.payment_status or row.status}"
        kind = Difference.EXECUTED_OR_RETRIED_ELSEWHERE
        return [_found(here, kind, ran, _plan(planned_at), imp_uid=row.imp_uid or "", status=row.payment_status or "")]
    return []


def _about_standing_schedule(
    here: OrderHere, run: RunSays, row: ScheduleFact, planned_at: datetime | None, leeway: Leeway
) -> list[Found]:
    will = f"will charge {row.amount} on {row.customer_uid} at {_told(row.schedule_at)}"
    allowed = run.cycle_state in (*STANDS, CycleState.PLANNED, CycleState.UNKNOWN)
    if planned_at is None or not allowed or row.customer_uid != here.customer_uid:
        known = "nothing planned" if planned_at is None else f"{_plan(planned_at)}, {run.cycle_state.value}"
        return [
            _found(here, Difference.SCHEDULE_UNPLANNED, will, known, detail=_told(row.schedule_at), amount=row.amount)
        ]
    if row.amount != here.amount:
        known = f"ordered {here.amount}"
        return [
            _found(here, Difference.AMOUNT_DIFFERS, will, known, detail=f"scheduled {row.amount}", amount=row.amount)
        ]
    if abs(row.schedule_at - planned_at) > leeway.apart:
        moved = Difference.SCHEDULE_MOVED_ELSEWHERE
        return [_found(here, moved, will, _plan(planned_at), detail=_told(row.schedule_at))]
    return []


def _about_time(here: OrderHere, now: datetime, leeway: Leeway) -> list[Found]:
    """A charge that should have been settled by its workflow's own looks; declined or parked is an answer."""
    run = here.run
    due_at = None
    if here.kind not in (None, ChargeKind.CYCLE):
        due_at = here.due_at if here.state in _OPEN and here.sends else None
    elif run is not None and run.running and run.merchant_uid == here.merchant_uid and run.cycle_state in _OPEN:
        due_at = None if run.parked else run.next_charge_at
    if due_at is None or now - due_at <= leeway.overdue:
        return []
    return [_found(here, Difference.CHARGE_OVERDUE, "no payment", f"due {_told(due_at)}", detail=_told(due_at))]


# ---------------------------------------------------------------- telling


def _told(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _plan(planned_at: datetime | None) -> str:
    return "nothing planned" if planned_at is None else f"planned for {_told(planned_at)}"


def _of_payment(
    here: OrderHere, kind: Difference, row: PaymentFact, known: str, *, detail: str = "", amount: Money | None = None
) -> Found:
    has = f"{row.status} {row.amount}" + (f", {row.cancelled_amount} refunded" if row.cancelled_amount else "")
    if row.customer_uid is not None and here.customer_uid not in (None, row.customer_uid):
        has += f", on {row.customer_uid}"
    return _found(
        here, kind, has, known, imp_uid=row.imp_uid, detail=detail, amount=amount or row.amount, status=row.status
    )


def _found(
    here: OrderHere,
    kind: Difference,
    portone: str,
    ledger: str,
    *,
    imp_uid: str = "",
    detail: str = "",
    amount: Money | None = None,
    status: str = "",
) -> Found:
    owner = here.subscription
    return Found(
        kind=kind,
        portone=portone,
        ledger=ledger,
        merchant_uid=here.merchant_uid,
        imp_uid=imp_uid,
        customer_uid=here.customer_uid or "",
        detail=detail,
        amount=amount,
        status=status,
        subscription_id=owner.subscription_id if owner else None,
        started_under=owner.customer_uid if owner else None,
        workflow_id=owner.workflow_id if owner else None,
        ended=owner is not None and not here.is_living,
    )
