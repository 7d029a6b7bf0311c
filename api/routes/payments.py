"""/v1/payments: key-in payments, look-up, refunds."""

import asyncio
import contextlib
import secrets
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Depends, Response
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from api.attempt import Attempt
from api.dependencies import Desk, DeskDep, caller_of
from api.errors import Problem
from api.idempotency import OnceDep, answer
from api.key_names import refuse_a_busy_key
from api.models import KeyInPaymentBody, MerchantUid, RefundBody
from api.pg_rules import check_key_in
from api.running import remembers, within
from api.starting import RPC_TIMEOUT, begin
from api.strict_route import StrictRoute
from api.views import charge_view, payment_view, refund_view
from billing.domain.merchant_uid import new_payment_merchant_uid
from billing.domain.money import Money
from billing.domain.records import RefundState
from billing.domain.refund_messages import RefundSettled, StartRefund
from billing.domain.states import CycleState
from workflows.contracts import PaymentSettled, StartKeyInPayment, payment_workflow_id, refund_workflow_id
from workflows.one_time_payment.workflow import KeyInPaymentWorkflow
from workflows.refund.workflow import RefundWorkflow

router = APIRouter(prefix="/v1/payments", tags=["payments"], dependencies=[Depends(caller_of)], route_class=StrictRoute)


@router.post("", status_code=201)
async def pay_by_card(body: KeyInPaymentBody, once: OnceDep, desk: DeskDep) -> Response:
    """Charge a card once by its number; with a customer_uid a billing key is stored in the same call."""

    # The resource of a request is drawn by us, so a caller's own order number cannot be joined by a twin.
    def names(resource: str | None) -> dict[str, Any]:
        merchant_uid = body.merchant_uid or resource
        if merchant_uid is None:
            return {}
        return {"merchant_uid": merchant_uid, "run_url": desk.run_url(payment_workflow_id(merchant_uid))}

    async def pay(attempt: Attempt) -> Response:
        merchant_uid = body.merchant_uid or attempt.resource
        settled = await _pay(desk, body, _checked_amount(desk, body), merchant_uid, attempt)
        return await _paid(desk, merchant_uid, settled, attempt)

    drawn = new_payment_merchant_uid(secrets.token_bytes(16))
    return await once(drawn, pay, names=names, pending={"state": "unknown"})


@router.get("/{merchant_uid}")
async def get_payment(merchant_uid: MerchantUid, desk: DeskDep) -> dict[str, Any]:
    """One charge with what PortOne was found to have for it, and its refunds."""
    return await _view(desk, merchant_uid)


@router.post("/{merchant_uid}/refunds", status_code=201)
async def refund_payment(
    merchant_uid: MerchantUid, once: OnceDep, desk: DeskDep, body: RefundBody | None = None
) -> Response:
    """Refund a payment, in full without an amount; PortOne's checksum keeps two refunds from adding up."""
    order = body or RefundBody()
    run_url = desk.run_url(refund_workflow_id(merchant_uid))

    def names(refund_id: str | None) -> dict[str, Any]:
        drawn = {"refund_id": refund_id} if refund_id is not None else {}
        return {"merchant_uid": merchant_uid, **drawn, "run_url": run_url}

    async def refund(attempt: Attempt) -> Response:
        charge = await desk.ledger.get_charge(merchant_uid)
        if charge is None:
            raise Problem(404, "payment_not_found", "there is no payment with this merchant_uid")
        settled = await _refund(desk, merchant_uid, attempt, order, charge.amount.currency)
        return _refunded(settled, attempt)

    return await once(f"r{secrets.token_hex(12)}", refund, names=names, pending={"state": "unknown"})


def _checked_amount(desk: Desk, body: KeyInPaymentBody) -> Money:
    amount = Money(body.amount, body.currency)
    check_key_in(body, amount)
    yesterday = (desk.now() - timedelta(days=1)).date()
    if body.card.is_expired(yesterday.year, yesterday.month):
        raise Problem(422, "card_expired", "the card has expired", field="card.expiry")
    if amount.amount > desk.settings.max_amount:
        raise Problem(422, "amount_too_large", f"at most {desk.settings.max_amount}", field="amount")
    return amount


async def _pay(
    desk: Desk, body: KeyInPaymentBody, amount: Money, merchant_uid: str, attempt: Attempt
) -> PaymentSettled | None:
    """Start the workflow, or join the one an earlier try of this request started.

    Raises:
        Problem: 409 when the order number was used before, or a subscription is charged by the key to be stored.
    """
    workflow_id = payment_workflow_id(merchant_uid)

    async def start() -> WorkflowHandle[KeyInPaymentWorkflow, PaymentSettled]:
        await _refuse_a_key_in_use(desk, body)
        vault_handle = await desk.vault.seal(body.card.fields(), desk.now())
        order = StartKeyInPayment(
            merchant_uid=merchant_uid,
            vault_handle=vault_handle,
            amount=amount,
            name=body.name,
            tax_free=body.tax_free,
            vat_amount=body.vat_amount,
            customer_uid=body.customer_uid,
            channel=body.channel(),
            customer=body.customer.customer(),
            policy=desk.policy(),
        )
        attempt.leaves()
        try:
            return await desk.temporal.start_workflow(
                KeyInPaymentWorkflow.run,
                order,
                id=workflow_id,
                task_queue=desk.task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                memo={"resource": attempt.resource},
                static_summary=f"{body.name}: {amount}, key-in payment"[:200],
                rpc_timeout=RPC_TIMEOUT,
            )
        except WorkflowAlreadyStartedError:
            await desk.vault.discard(vault_handle)
            raise

    handle = desk.temporal.get_workflow_handle_for(KeyInPaymentWorkflow.run, workflow_id)
    begun = await begin(attempt, handle, start)
    if begun is None:
        raise Problem(409, "merchant_uid_used", "this order number was used before", field="merchant_uid")
    return await within(desk.settings.first_answer_seconds, begun.result())


async def _refuse_a_key_in_use(desk: Desk, body: KeyInPaymentBody) -> None:
    """The card would be stored under a name that a subscription is charged by: PortOne would charge it from then on."""
    if body.customer_uid is None:
        return
    if await desk.ledger.subscription_on_key(body.customer_uid) is not None:
        detail = "a subscription is charged by the billing key of this name"
        raise Problem(409, "billing_key_in_use", detail, field="customer_uid")
    await refuse_a_busy_key(desk, body.customer_uid)


async def _paid(desk: Desk, merchant_uid: str, settled: PaymentSettled | None, attempt: Attempt) -> Response:
    if settled is None:
        return attempt.open_answer()
    reason = settled.message or settled.state.value
    if settled.state in (CycleState.PAID, CycleState.DECLINED, CycleState.MISMATCH):
        attempt.is_settled()
    else:
        attempt.is_void()
        raise Problem(503, settled.code or "payment_not_executed", reason)
    if settled.state is CycleState.DECLINED:
        raise Problem(402, "card_declined", reason, imp_uid=settled.imp_uid)
    if settled.state is CycleState.MISMATCH:
        raise Problem(409, "payment_mismatch", reason, imp_uid=settled.imp_uid)
    return answer(201, await _view(desk, merchant_uid))


async def _refund(
    desk: Desk, merchant_uid: str, attempt: Attempt, order: RefundBody, currency: str
) -> RefundSettled | None:
    start = StartRefund(
        refund_id=attempt.resource,
        merchant_uid=merchant_uid,
        # An amount of 0 never gets here, and would be refused, not taken for all that is left.
        amount=Money(order.amount, currency) if order.amount is not None else None,
        reason=order.reason,
        tax_free=order.tax_free,
        vat_amount=order.vat_amount,
        requester=order.requester,
    )
    running = desk.temporal.get_workflow_handle_for(RefundWorkflow.run, refund_workflow_id(merchant_uid))
    if await remembers(running, attempt.resource):
        attempt.has_begun()
        return await within(desk.settings.first_answer_seconds, running.result())
    for done in await desk.ledger.list_refunds(merchant_uid):
        if done.refund_id == attempt.resource and done.state in (RefundState.REFUNDED, RefundState.REFUSED):
            return RefundSettled(
                refund_id=done.refund_id, state=done.state, amount=done.amount, code=done.code, message=done.message
            )
    patience = asyncio.get_running_loop().time() + desk.settings.first_answer_seconds
    while (left := patience - asyncio.get_running_loop().time()) > 0:
        begun = await begin(attempt, running, lambda: _start_refund(desk, start, attempt))
        if begun is not None:
            return await within(left, begun.result())
        # Another refund of this payment is being made: this one has its turn after it, if that is soon.
        with contextlib.suppress(WorkflowFailureError):
            await within(left, running.result())
    raise Problem(409, "refund_running", "another refund of this payment is being done")


async def _start_refund(
    desk: Desk, start: StartRefund, attempt: Attempt
) -> WorkflowHandle[RefundWorkflow, RefundSettled]:
    attempt.leaves()
    return await desk.temporal.start_workflow(
        RefundWorkflow.run,
        start,
        id=refund_workflow_id(start.merchant_uid),
        task_queue=desk.task_queue,
        memo={"resource": start.refund_id},
        static_summary=f"refund of {start.amount or 'all'} for {start.merchant_uid}",
        rpc_timeout=RPC_TIMEOUT,
    )


def _refunded(settled: RefundSettled | None, attempt: Attempt) -> Response:
    if settled is None or settled.state not in (RefundState.REFUNDED, RefundState.REFUSED):
        return attempt.open_answer()
    if settled.state is RefundState.REFUSED:
        attempt.is_void()
        raise Problem(409, settled.code or "refund_refused", settled.message or "refused", remaining=settled.remaining)
    attempt.is_settled()
    body = {
        "refund_id": settled.refund_id,
        "state": settled.state.value,
        "amount": settled.amount.amount if settled.amount else None,
        "remaining": settled.remaining,
        "message": settled.message,
    }
    return answer(201, body)


async def _view(desk: Desk, merchant_uid: str) -> dict[str, Any]:
    charge = await desk.ledger.get_charge(merchant_uid)
    if charge is None:
        raise Problem(404, "payment_not_found", "there is no payment with this merchant_uid")
    return {
        **charge_view(charge),
        "payments": [payment_view(fact) for fact in await desk.ledger.list_payments(merchant_uid)],
        "refunds": [refund_view(refund) for refund in await desk.ledger.list_refunds(merchant_uid)],
        "run_url": desk.run_url(charge.workflow_id),
    }
