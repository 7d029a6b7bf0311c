"""/v1/subscriptions/{customer_uid}/...: the orders a running subscription takes; each answers what happened."""

import secrets
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from api.dependencies import CallerDep, Desk, DeskDep, caller_of
from api.errors import Problem
from api.idempotency import answer, once
from api.models import CancelBody, CustomerUid
from api.order_models import (
    ChangePlanBody,
    ConsentBody,
    PauseBody,
    PaymentMethodChangeBody,
    ResumeBody,
    RetryBody,
    TrialBody,
)
from api.ordering import ended, find_subscription, order, place, refused
from api.pg_rules import check_change, check_holding, check_issue
from api.previews import ask, ask_cancel
from api.terms import holding_of, terms_of
from api.views import bill_view, instant
from billing.domain.bills import Holding
from billing.domain.consent import ConsentDecision
from billing.domain.records import PendingChange
from billing.ledger import SubscriptionRow
from workflows.orders import (
    CancelAnswered,
    CancelChange,
    CancelSubscription,
    ChangePaymentMethod,
    ChangePlan,
    ChangeTrial,
    PauseSubscription,
    ResumeAnchor,
    ResumeSubscription,
    RetryNow,
    UndoCancel,
)

router = APIRouter(prefix="/v1/subscriptions/{customer_uid}", tags=["orders"], dependencies=[Depends(caller_of)])


@router.post("/cancel")
async def cancel(customer_uid: CustomerUid, desk: DeskDep, body: CancelBody | None = None) -> Response:
    """Cancel now or at period end; the answer says whether the next charge was stopped or had already run."""
    asked = body or CancelBody()
    record = await find_subscription(desk, customer_uid)
    message = CancelSubscription(at=asked.at, reason=asked.reason, refund=asked.refund)
    done = await order(desk, record, "cancel", message, CancelAnswered)
    if done is None:
        return answer(202, {"customer_uid": customer_uid, "status": "pending", "detail": "the cancel is being done"})
    view = {
        "customer_uid": customer_uid,
        "status": done.status.value,
        "charge": done.charge.value,
        "merchant_uid": done.merchant_uid,
        "charged_imp_uid": done.charged_imp_uid,
        "charged_amount": done.charged_amount.amount if done.charged_amount else None,
        "cancel_at_period_end": done.cancel_at_period_end,
        "ends_at": instant(done.ends_at),
        "refunded_amount": done.refunded.amount if done.refunded else None,
        "refund_state": done.refund_state,
        "owed_amount": done.owed.amount if done.owed is not None else None,
    }
    return answer(200, view)


@router.post("/cancel/preview")
async def preview_cancel(customer_uid: CustomerUid, desk: DeskDep, body: CancelBody | None = None) -> dict[str, Any]:
    """What that cancel would give back now, and what would be owed beside it; nothing is changed."""
    asked = body or CancelBody()
    record = await find_subscription(desk, customer_uid)
    if record.ended_at is not None:
        raise ended()
    seen = await ask_cancel(desk, record, CancelSubscription(at=asked.at, refund=asked.refund))
    return {
        "customer_uid": customer_uid,
        "ends_at": instant(seen.ends_at),
        "refund_amount": seen.refund.amount,
        "owed_amount": seen.owed.amount,
    }


@router.post("/undo-cancel")
async def undo_cancel(customer_uid: CustomerUid, desk: DeskDep) -> Response:
    """Take a cancel at period end back."""
    return await place(desk, customer_uid, "undo_cancel", UndoCancel())


@router.post("/pause")
async def pause(customer_uid: CustomerUid, desk: DeskDep, body: PauseBody | None = None) -> Response:
    """Pause now or at period end, until a day or until somebody resumes."""
    asked = body or PauseBody()
    message = PauseSubscription(
        at=asked.at,
        resumes_at=asked.resumes_at,
        resume_anchor=asked.resume_anchor or ResumeAnchor.NEW,
        reason=asked.reason,
    )
    return await place(desk, customer_uid, "pause", message)


@router.post("/resume")
async def resume(
    customer_uid: CustomerUid, request: Request, desk: DeskDep, caller: CallerDep, body: ResumeBody | None = None
) -> Response:
    """Go on, charging at once what has to be paid for it; or take a pause at period end back."""
    asked = body or ResumeBody()
    consent = asked.consent.answer(ConsentDecision.GRANTED) if asked.consent else None
    message = ResumeSubscription(anchor=asked.anchor, consent=consent)

    async def do(resource: str) -> Response:
        return await place(desk, customer_uid, "resume", message, resource)

    return await once(request, desk, caller, _new_order_id(), do)


@router.post("/change-plan")
async def change_plan(
    customer_uid: CustomerUid, body: ChangePlanBody, request: Request, desk: DeskDep, caller: CallerDep
) -> Response:
    """Change plan, quantity or coupon; what costs money applies only when it is paid."""
    message = await _change(desk, await find_subscription(desk, customer_uid), body)

    async def do(resource: str) -> Response:
        return await place(desk, customer_uid, "change_plan", message, resource)

    return await once(request, desk, caller, _new_order_id(), do)


@router.post("/change-plan/preview")
async def preview_change(customer_uid: CustomerUid, body: ChangePlanBody, desk: DeskDep) -> dict[str, Any]:
    """What that change would charge now, and the next bill after it; nothing is changed."""
    record = await find_subscription(desk, customer_uid)
    return await _preview(desk, record, await _change(desk, record, body))


@router.delete("/pending-change")
async def cancel_change(customer_uid: CustomerUid, desk: DeskDep) -> Response:
    """Forget the change that waits for the next period."""
    return await place(desk, customer_uid, "cancel_change", CancelChange())


@router.get("/preview")
async def preview(customer_uid: CustomerUid, desk: DeskDep) -> dict[str, Any]:
    """The next charge, line by line, by the function that charges it."""
    return await _preview(desk, await find_subscription(desk, customer_uid), None)


@router.post("/trial")
async def change_trial(
    customer_uid: CustomerUid, body: TrialBody, request: Request, desk: DeskDep, caller: CallerDep
) -> Response:
    """End the trial on another day; or now, and charge at once: declined, the subscription is `past_due`."""
    consent = body.consent.answer(ConsentDecision.GRANTED) if body.consent else None
    message = ChangeTrial(ends_at=body.ends_at, consent=consent)

    async def do(resource: str) -> Response:
        return await place(desk, customer_uid, "change_trial", message, resource)

    return await once(request, desk, caller, _new_order_id(), do)


@router.post("/payment-method")
async def change_payment_method(
    customer_uid: CustomerUid, body: PaymentMethodChangeBody, request: Request, desk: DeskDep, caller: CallerDep
) -> Response:
    """Charge another card from now on; an unpaid period is tried with it at once."""
    record = await find_subscription(desk, customer_uid)
    card = body.payment_method.card
    if card is not None:
        check_issue(body.pg, record.customer, card)
    check_holding(body.pg, Holding(record.plan, record.life.quantity, record.life.coupon), record.customer)
    # A day's grace: the last month of a card ends in its issuer's time zone, not in ours.
    yesterday = desk.now() - timedelta(days=1)
    if card is not None and card.is_expired(yesterday.year, yesterday.month):
        raise Problem(422, "card_expired", "the card has expired", field="payment_method.card.expiry")

    async def change(resource: str) -> Response:
        handle = await desk.vault.seal(card.fields(), desk.now()) if card else None
        message = ChangePaymentMethod(
            customer_uid=body.customer_uid or f"{customer_uid[:60]}.{resource[-12:]}",
            vault_handle=handle,
            channel=body.channel(),
            customer=record.customer,
        )
        try:
            placed = await place(desk, customer_uid, "change_payment_method", message, resource)
        except Problem:
            await _forget(desk, handle)
            raise
        if placed.status_code != HTTPStatus.ACCEPTED:
            # Answered for good: an order that was placed twice under one Idempotency-Key has used the other card.
            await _forget(desk, handle)
        return placed

    return await once(request, desk, caller, _new_order_id(), change)


@router.post("/retry")
async def retry(
    customer_uid: CustomerUid, request: Request, desk: DeskDep, caller: CallerDep, body: RetryBody | None = None
) -> Response:
    """Charge the unpaid period now; it does not spend the budget of retries."""
    message = RetryNow(by=(body or RetryBody()).by)

    async def do(resource: str) -> Response:
        return await place(desk, customer_uid, "retry", message, resource)

    return await once(request, desk, caller, _new_order_id(), do)


@router.post("/consent")
async def answer_consent(customer_uid: CustomerUid, body: ConsentBody, desk: DeskDep) -> Response:
    """The buyer's explicit answer to a consent that is asked for; what was shown is kept as evidence."""
    return await place(desk, customer_uid, "answer_consent", body.answer(body.decision))


async def _forget(desk: Desk, vault_handle: str | None) -> None:
    if vault_handle is not None:
        await desk.vault.discard(vault_handle)


def _new_order_id() -> str:
    return f"o{secrets.token_hex(12)}"


async def _change(desk: Desk, record: SubscriptionRow, body: ChangePlanBody) -> ChangePlan:
    plan = None
    if body.plan is not None or body.plan_id is not None:
        plan = await terms_of(desk, body.plan, body.plan_id)
    message = ChangePlan(
        plan=plan,
        quantity=body.quantity,
        coupon=body.coupon.coupon() if body.coupon else None,
        without_coupon=bool(body.remove_coupon),
        at=body.at,
        proration=body.proration,
    )
    held = PendingChange(record.plan, record.life.quantity, record.life.coupon)
    after = message.instead_of(held, record.life.pending_change)
    check_change(
        record.pg_provider,
        Holding(held.plan, held.quantity, held.coupon),
        holding_of(desk, after.plan, after.quantity, after.coupon),
        record.customer,
    )
    return message


async def _preview(desk: Desk, record: SubscriptionRow, message: ChangePlan | None) -> dict[str, Any]:
    if record.ended_at is not None:
        raise ended()
    seen = await ask(desk, record, message)
    if seen.refused is not None:
        raise refused(seen.refused, seen.message or "the change makes no sense now", "change_plan")
    return {
        "customer_uid": record.customer_uid,
        "due_now": bill_view(seen.due_now) if seen.due_now else None,
        "new_period": seen.new_period,
        "next_charge_at": instant(seen.due_at),
        "next_charge": bill_view(seen.bill) if seen.due_at else None,
        "balance": seen.balance,
    }
