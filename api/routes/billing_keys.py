"""/v1/billing-keys: issue by card, read masked, delete."""

import secrets
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from temporalio.exceptions import WorkflowAlreadyStartedError

from api.dependencies import CallerDep, Desk, DeskDep, caller_of
from api.errors import Problem
from api.idempotency import answer, once
from api.models import BillingKeyBody, CustomerUid, Words
from api.pg_rules import check_issue
from api.running import remembers, within
from api.strict_route import StrictRoute
from api.views import billing_key_view
from workflows.billing_key import DeleteBillingKeyWorkflow, IssueBillingKeyWorkflow
from workflows.contracts import (
    BillingKeySettled,
    StartDeleteBillingKey,
    StartIssueBillingKey,
    billing_key_workflow_id,
)

router = APIRouter(
    prefix="/v1/billing-keys", tags=["billing keys"], dependencies=[Depends(caller_of)], route_class=StrictRoute
)

STATUS = {
    "billing_key_exists": 409,
    "billing_key_in_use": 409,
    "billing_key_not_found": 404,
    "billing_key_refused": 402,
}
"""Why a key was not issued or deleted, as HTTP; anything else is PortOne being away."""


@router.post("", status_code=201)
async def issue_billing_key(body: BillingKeyBody, request: Request, desk: DeskDep, caller: CallerDep) -> Response:
    """Issue a billing key by card number for a customer_uid that has none."""
    check_issue(body.pg, body.customer.customer(), body.card)
    yesterday = (desk.now() - timedelta(days=1)).date()
    if body.card.is_expired(yesterday.year, yesterday.month):
        raise Problem(422, "card_expired", "the card has expired", field="card.expiry")

    async def issue(resource: str) -> Response:
        settled = await _issue(desk, body, resource)
        return _settled(settled, 201)

    return await once(request, desk, caller, secrets.token_hex(12), issue)


@router.get("/{customer_uid}")
async def get_billing_key(customer_uid: CustomerUid, desk: DeskDep) -> dict[str, Any]:
    """A billing key, its card masked to the last four digits."""
    row = await desk.ledger.get_billing_key(customer_uid)
    if row is None or row.deleted:
        raise Problem(404, "billing_key_not_found", "there is no billing key under this customer_uid")
    return billing_key_view(row.key)


@router.delete("/{customer_uid}")
async def delete_billing_key(
    customer_uid: CustomerUid,
    desk: DeskDep,
    reason: Words | None = None,
) -> Response:
    """Delete a billing key; refused while a subscription lives on it or PortOne has a charge scheduled on it."""
    charged_for = await desk.ledger.subscription_on_key(customer_uid)
    if charged_for is not None:
        detail = f"the subscription of {charged_for.customer_uid!r} is charged by this key"
        raise Problem(409, "billing_key_in_use", detail)
    try:
        handle = await desk.temporal.start_workflow(
            DeleteBillingKeyWorkflow.run,
            StartDeleteBillingKey(customer_uid=customer_uid, reason=reason),
            id=billing_key_workflow_id(customer_uid),
            task_queue=desk.task_queue,
            static_summary=f"delete the billing key of {customer_uid}",
            rpc_timeout=timedelta(seconds=10),
        )
    except WorkflowAlreadyStartedError:
        raise Problem(409, "billing_key_busy", "this key is being issued or deleted") from None
    return _settled(await within(desk.settings.first_answer_seconds, handle.result()), 200)


async def _issue(desk: Desk, body: BillingKeyBody, resource: str) -> BillingKeySettled | None:
    workflow_id = billing_key_workflow_id(body.customer_uid)
    begun = desk.temporal.get_workflow_handle_for(IssueBillingKeyWorkflow.run, workflow_id)
    if await remembers(begun, resource):
        return await within(desk.settings.first_answer_seconds, begun.result())
    vault_handle = await desk.vault.seal(body.card.fields(), desk.now())
    try:
        handle = await desk.temporal.start_workflow(
            IssueBillingKeyWorkflow.run,
            StartIssueBillingKey(
                customer_uid=body.customer_uid,
                vault_handle=vault_handle,
                channel=body.channel(),
                customer=body.customer.customer(),
            ),
            id=workflow_id,
            task_queue=desk.task_queue,
            memo={"resource": resource},
            static_summary=f"issue a billing key for {body.customer_uid}",
            rpc_timeout=timedelta(seconds=10),
        )
    except WorkflowAlreadyStartedError:
        await desk.vault.discard(vault_handle)
        if not await remembers(begun, resource):
            raise Problem(409, "billing_key_busy", "this key is being issued or deleted") from None
        handle = begun
    return await within(desk.settings.first_answer_seconds, handle.result())


def _settled(settled: BillingKeySettled | None, status: int) -> Response:
    if settled is None:
        return answer(202, {"detail": "the outcome is still open; read this key again"})
    if settled.done and settled.key is not None:
        return answer(status, billing_key_view(settled.key))
    code = settled.code or "billing_key_not_executed"
    raise Problem(STATUS.get(code, 503), code, settled.message or code)
