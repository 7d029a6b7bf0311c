"""/v1/billing-keys: issue by card, read masked, delete."""

import secrets
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, Response
from temporalio.client import WorkflowHandle
from temporalio.exceptions import WorkflowAlreadyStartedError

from api.attempt import Attempt
from api.dependencies import Desk, DeskDep, caller_of
from api.errors import Problem
from api.idempotency import Names, OnceDep, answer
from api.models import BillingKeyBody, CustomerUid, Words
from api.pg_rules import check_issue
from api.running import within
from api.starting import RPC_TIMEOUT, begin
from api.strict_route import StrictRoute
from api.views import billing_key_view
from workflows.billing_key.workflow import DeleteBillingKeyWorkflow, IssueBillingKeyWorkflow
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
async def issue_billing_key(body: BillingKeyBody, once: OnceDep, desk: DeskDep) -> Response:
    """Issue a billing key by card number for a customer_uid that has none."""

    async def issue(attempt: Attempt) -> Response:
        check_issue(body.pg, body.customer.customer(), body.card)
        yesterday = (desk.now() - timedelta(days=1)).date()
        if body.card.is_expired(yesterday.year, yesterday.month):
            raise Problem(422, "card_expired", "the card has expired", field="card.expiry")
        return _settled(await _issue(desk, body, attempt), 201, attempt)

    return await once(f"k{secrets.token_hex(12)}", issue, names=_names(desk, body.customer_uid))


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
    once: OnceDep,
    desk: DeskDep,
    reason: Words | None = None,
) -> Response:
    """Delete a billing key; refused while a subscription lives on it or PortOne has a charge scheduled on it."""

    async def delete(attempt: Attempt) -> Response:
        return _settled(await _delete(desk, customer_uid, reason, attempt), 200, attempt)

    return await once(f"k{secrets.token_hex(12)}", delete, names=_names(desk, customer_uid))


def _names(desk: Desk, customer_uid: str) -> Names:
    run_url = desk.run_url(billing_key_workflow_id(customer_uid))
    return lambda _: {"customer_uid": customer_uid, "run_url": run_url}


async def _issue(desk: Desk, body: BillingKeyBody, attempt: Attempt) -> BillingKeySettled | None:
    workflow_id = billing_key_workflow_id(body.customer_uid)

    async def start() -> WorkflowHandle[IssueBillingKeyWorkflow, BillingKeySettled]:
        vault_handle = await desk.vault.seal(body.card.fields(), desk.now())
        order = StartIssueBillingKey(
            customer_uid=body.customer_uid,
            vault_handle=vault_handle,
            channel=body.channel(),
            customer=body.customer.customer(),
        )
        attempt.leaves()
        try:
            return await desk.temporal.start_workflow(
                IssueBillingKeyWorkflow.run,
                order,
                id=workflow_id,
                task_queue=desk.task_queue,
                memo={"resource": attempt.resource},
                static_summary=f"issue a billing key for {body.customer_uid}",
                rpc_timeout=RPC_TIMEOUT,
            )
        except WorkflowAlreadyStartedError:
            await desk.vault.discard(vault_handle)
            raise

    handle = desk.temporal.get_workflow_handle_for(IssueBillingKeyWorkflow.run, workflow_id)
    return await _outcome(desk, await begin(attempt, handle, start))


async def _delete(desk: Desk, customer_uid: str, reason: str | None, attempt: Attempt) -> BillingKeySettled | None:
    workflow_id = billing_key_workflow_id(customer_uid)

    async def start() -> WorkflowHandle[DeleteBillingKeyWorkflow, BillingKeySettled]:
        charged_for = await desk.ledger.subscription_on_key(customer_uid)
        if charged_for is not None:
            detail = f"the subscription of {charged_for.customer_uid!r} is charged by this key"
            raise Problem(409, "billing_key_in_use", detail)
        row = await desk.ledger.get_billing_key(customer_uid)
        attempt.leaves()
        return await desk.temporal.start_workflow(
            DeleteBillingKeyWorkflow.run,
            StartDeleteBillingKey(
                customer_uid=customer_uid,
                reason=reason,
                quiet_minutes=desk.settings.quiet_minutes,
                known=row is not None and not row.deleted,
            ),
            id=workflow_id,
            task_queue=desk.task_queue,
            memo={"resource": attempt.resource},
            static_summary=f"delete the billing key of {customer_uid}",
            rpc_timeout=RPC_TIMEOUT,
        )

    handle = desk.temporal.get_workflow_handle_for(DeleteBillingKeyWorkflow.run, workflow_id)
    return await _outcome(desk, await begin(attempt, handle, start))


async def _outcome(desk: Desk, begun: WorkflowHandle[Any, BillingKeySettled] | None) -> BillingKeySettled | None:
    if begun is None:
        raise Problem(409, "billing_key_busy", "this key is being issued or deleted")
    return await within(desk.settings.first_answer_seconds, begun.result())


def _settled(settled: BillingKeySettled | None, status: int, attempt: Attempt) -> Response:
    if settled is None:
        return attempt.open_answer()
    if settled.done and settled.key is not None:
        attempt.is_settled()
        return answer(status, billing_key_view(settled.key))
    code = settled.code or "billing_key_not_executed"
    refused = STATUS.get(code, 503)
    if refused == HTTPStatus.PAYMENT_REQUIRED:
        attempt.is_settled()
    else:
        attempt.is_void()
    raise Problem(refused, code, settled.message or code)
