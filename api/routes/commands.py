"""/v1/subscriptions/{customer_uid}/...: the commands a running subscription takes; each answers what happened."""

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Depends, Response

from api.attempt import Attempt
from api.command_models import (
    ChangePlanBody,
    ConsentBody,
    PauseBody,
    PaymentMethodChangeBody,
    ResumeBody,
    RetryBody,
    SkipBody,
    TrialBody,
)
from api.commanding import command, ended, find_subscription, names_of, new_order_id, order, place, refused
from api.dependencies import Desk, DeskDep, caller_of
from api.errors import Problem
from api.idempotency import OnceDep, answer
from api.key_names import refuse_a_busy_key
from api.models import CancelBody, CustomerUid
from api.pg_rules import check_change, check_holding, check_issue
from api.previews import ask, ask_cancel, ask_skip
from api.strict_route import StrictRoute
from api.terms import holding_of, terms_of
from api.views import bill_view, instant, standing_view
from billing.domain.bills import Holding
from billing.domain.consent import ConsentDecision
from billing.domain.records import PendingChange
from billing.domain.subscription.answers import CancelAnswered, Preview
from billing.domain.subscription.choices import ResumeAnchor
from billing.ledger import SubscriptionRow
from workflows.subscription.commands.cancel import CancelSubscription
from workflows.subscription.commands.cancel_change import CancelChange
from workflows.subscription.commands.change_payment_method import ChangePaymentMethod
from workflows.subscription.commands.change_plan import ChangePlan
from workflows.subscription.commands.change_trial import ChangeTrial
from workflows.subscription.commands.pause import PauseSubscription
from workflows.subscription.commands.registry import BY_NAME
from workflows.subscription.commands.resume import ResumeSubscription
from workflows.subscription.commands.retry import RetryNow
from workflows.subscription.commands.skip import SkipPeriods
from workflows.subscription.commands.undo_cancel import UndoCancel
from workflows.subscription.commands.undo_skip import UndoSkip

router = APIRouter(
    prefix="/v1/subscriptions/{customer_uid}",
    tags=["commands"],
    dependencies=[Depends(caller_of)],
    route_class=StrictRoute,
)


@router.post(f"/{BY_NAME['cancel'].path}")
async def cancel(customer_uid: CustomerUid, once: OnceDep, desk: DeskDep, body: CancelBody | None = None) -> Response:
    """Cancel now or at period end; the answer says whether the next charge was stopped or had already run."""
    asked = body or CancelBody()
    message = CancelSubscription(at=asked.at, reason=asked.reason, refund=asked.refund)

    async def do(attempt: Attempt) -> Response:
        record = await find_subscription(desk, customer_uid)
        done = await order(desk, record, "cancel", message, CancelAnswered, attempt=attempt)
        return attempt.open_answer() if done is None else answer(200, _canceled(customer_uid, done))

    return await once(new_order_id(), do, names=names_of(customer_uid), alone=False)


def _canceled(customer_uid: str, done: CancelAnswered) -> dict[str, Any]:
    return {
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
        "refund_message": done.refund_message,
        "standing": standing_view(done.standing),
        "owed_amount": done.owed.amount if done.owed is not None else None,
    }


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


@router.post(f"/{BY_NAME['undo_cancel'].path}")
async def undo_cancel(customer_uid: CustomerUid, once: OnceDep, desk: DeskDep) -> Response:
    """Take a cancel at period end back."""
    return await command(desk, once, customer_uid, "undo_cancel", UndoCancel())


@router.post(f"/{BY_NAME['pause'].path}")
async def pause(customer_uid: CustomerUid, once: OnceDep, desk: DeskDep, body: PauseBody | None = None) -> Response:
    """Pause now or at period end, until a day or until somebody resumes."""
    asked = body or PauseBody()
    message = PauseSubscription(
        at=asked.at,
        resumes_at=asked.resumes_at,
        resume_anchor=asked.resume_anchor or ResumeAnchor.NEW,
        reason=asked.reason,
    )
    return await command(desk, once, customer_uid, "pause", message)


@router.post(f"/{BY_NAME['skip'].path}")
async def skip(customer_uid: CustomerUid, once: OnceDep, desk: DeskDep, body: SkipBody | None = None) -> Response:
    """Skip the next periods: nothing is charged for them and nothing given; the billing day stays."""
    asked = body or SkipBody()
    return await command(desk, once, customer_uid, "skip", SkipPeriods(periods=asked.periods, reason=asked.reason))


@router.post(f"/{BY_NAME['skip'].path}/preview")
async def preview_skip(customer_uid: CustomerUid, desk: DeskDep, body: SkipBody | None = None) -> dict[str, Any]:
    """When the next charge would be after that skip, and what it would be; nothing is changed."""
    record = await find_subscription(desk, customer_uid)
    if record.ended_at is not None:
        raise ended()
    message = SkipPeriods(periods=(body or SkipBody()).periods)
    return _seen(record, await ask_skip(desk, record, message), "skip")


@router.post(f"/{BY_NAME['undo_skip'].path}")
async def undo_skip(customer_uid: CustomerUid, once: OnceDep, desk: DeskDep) -> Response:
    """Charge the next period after all that has not begun yet."""
    return await command(desk, once, customer_uid, "undo_skip", UndoSkip())


@router.post(f"/{BY_NAME['resume'].path}")
async def resume(customer_uid: CustomerUid, once: OnceDep, desk: DeskDep, body: ResumeBody | None = None) -> Response:
    """Go on, charging at once what has to be paid for it; or take a pause at period end back."""
    asked = body or ResumeBody()
    consent = asked.consent.answer(ConsentDecision.GRANTED) if asked.consent else None
    message = ResumeSubscription(anchor=asked.anchor, consent=consent)
    return await command(desk, once, customer_uid, "resume", message)


@router.post(f"/{BY_NAME['change_plan'].path}")
async def change_plan(customer_uid: CustomerUid, body: ChangePlanBody, once: OnceDep, desk: DeskDep) -> Response:
    """Change plan, quantity or coupon; what costs money applies only when it is paid."""

    async def do(attempt: Attempt) -> Response:
        message = await _change(desk, await find_subscription(desk, customer_uid), body)
        return await place(desk, customer_uid, "change_plan", message, attempt)

    return await once(new_order_id(), do, names=names_of(customer_uid), alone=False)


@router.post("/change-plan/preview")
async def preview_change(customer_uid: CustomerUid, body: ChangePlanBody, desk: DeskDep) -> dict[str, Any]:
    """What that change would charge now, and the next bill after it; nothing is changed."""
    record = await find_subscription(desk, customer_uid)
    return await _preview(desk, record, await _change(desk, record, body))


@router.delete(f"/{BY_NAME['cancel_change'].path}")
async def cancel_change(customer_uid: CustomerUid, once: OnceDep, desk: DeskDep) -> Response:
    """Forget the change that waits for the next period."""
    return await command(desk, once, customer_uid, "cancel_change", CancelChange())


@router.get("/preview")
async def preview(customer_uid: CustomerUid, desk: DeskDep) -> dict[str, Any]:
    """The next charge, line by line, by the function that charges it."""
    return await _preview(desk, await find_subscription(desk, customer_uid), None)


@router.post(f"/{BY_NAME['change_trial'].path}")
async def change_trial(customer_uid: CustomerUid, body: TrialBody, once: OnceDep, desk: DeskDep) -> Response:
    """End the trial on another day; or now, and charge at once: declined, the subscription is `past_due`."""
    consent = body.consent.answer(ConsentDecision.GRANTED) if body.consent else None
    message = ChangeTrial(ends_at=body.ends_at, consent=consent)
    return await command(desk, once, customer_uid, "change_trial", message)


@router.post(f"/{BY_NAME['change_payment_method'].path}")
async def change_payment_method(
    customer_uid: CustomerUid, body: PaymentMethodChangeBody, once: OnceDep, desk: DeskDep
) -> Response:
    """Charge another card from now on; an unpaid period is tried with it at once."""

    async def change(attempt: Attempt) -> Response:
        record = await find_subscription(desk, customer_uid)
        _check_method(desk, record, body)
        if body.customer_uid is not None:
            await refuse_a_busy_key(desk, body.customer_uid)
        card = body.payment_method.card
        handle = await desk.vault.seal(card.fields(), desk.now()) if card else None
        message = ChangePaymentMethod(
            customer_uid=body.customer_uid or f"{customer_uid[:60]}.{attempt.resource[-12:]}",
            vault_handle=handle,
            channel=body.channel(),
            customer=record.customer,
        )
        try:
            return await place(desk, customer_uid, "change_payment_method", message, attempt)
        finally:
            # While the order may still be carried out, its card has to be there. Answered for good, an order that was
            # placed twice has used the other card.
            if not attempt.is_open:
                await _forget(desk, handle)

    return await once(new_order_id(), change, names=names_of(customer_uid), alone=False)


@router.post(f"/{BY_NAME['retry'].path}")
async def retry(customer_uid: CustomerUid, once: OnceDep, desk: DeskDep, body: RetryBody | None = None) -> Response:
    """Charge the unpaid period now; it does not spend the budget of retries."""
    return await command(desk, once, customer_uid, "retry", RetryNow(by=(body or RetryBody()).by))


@router.post(f"/{BY_NAME['answer_consent'].path}")
async def answer_consent(customer_uid: CustomerUid, body: ConsentBody, once: OnceDep, desk: DeskDep) -> Response:
    """The buyer's explicit answer to a consent that is asked for; what was shown is kept as evidence."""
    return await command(desk, once, customer_uid, "answer_consent", body.answer(body.decision))


def _check_method(desk: Desk, record: SubscriptionRow, body: PaymentMethodChangeBody) -> None:
    card = body.payment_method.card
    if card is not None:
        check_issue(body.pg, record.customer, card)
    check_holding(body.pg, Holding(record.plan, record.life.quantity, record.life.coupon), record.customer)
    # A day's grace: the last month of a card ends in its issuer's time zone, not in ours.
    yesterday = desk.now() - timedelta(days=1)
    if card is not None and card.is_expired(yesterday.year, yesterday.month):
        raise Problem(422, "card_expired", "the card has expired", field="payment_method.card.expiry")


async def _forget(desk: Desk, vault_handle: str | None) -> None:
    if vault_handle is not None:
        await desk.vault.discard(vault_handle)


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
    return _seen(record, await ask(desk, record, message), "change_plan")


def _seen(record: SubscriptionRow, seen: Preview, update: str) -> dict[str, Any]:
    if seen.refused is not None:
        raise refused(seen.refused, seen.message or "it makes no sense now", update)
    return {
        "customer_uid": record.customer_uid,
        "due_now": bill_view(seen.due_now) if seen.due_now else None,
        "new_period": seen.new_period,
        "next_charge_at": instant(seen.due_at),
        "next_charge": bill_view(seen.bill) if seen.due_at else None,
        "balance": seen.balance,
    }
