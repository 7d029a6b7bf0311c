"""PortOne's webhooks: stored, counted, answered 200; then the workflow's bell is rung with ids only.

A webhook is never believed. V1 webhooks are unsigned (facts.md 3.4), so the URL of each charge is its own credential;
the URLs that the console can be given carry none and are open to PortOne's addresses alone. Nor may it cost more than
it is worth: of one order so many are looked into within an hour, and all others by one look (`webhook_bounds`).
"""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from api.bell import ring
from api.body_limit import TOO_LARGE
from api.dependencies import Desk, DeskDep
from api.errors import Problem
from api.security import client_address, is_within
from billing import fail_points
from billing.domain.notice_token import NoticeRoute, read_notice
from billing.ledger import InboxReceipt, LedgerLockedError, ReceivedWebhook
from billing.observability import WEBHOOKS

router = APIRouter(tags=["webhooks"])

MAX_BODY_BYTES = 16 * 1024

ImpUid = Annotated[str, Field(max_length=40, pattern=r"^[A-Za-z0-9_-]+$")]
OrderNumber = Annotated[str, Field(max_length=40, pattern=r"^[\x21-\x7e]+$")]


class WebhookBody(BaseModel):
    """What PortOne sends; anything else in it is left aside."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    imp_uid: ImpUid
    merchant_uid: OrderNumber
    status: Annotated[str, Field(max_length=24, pattern=r"^[a-z_]*$")] = ""
    cancellation_id: Annotated[str, Field(max_length=80, pattern=r"^[\x21-\x7e]*$")] | None = None


@router.post("/webhooks/portone/{token}")
async def receive_by_token(token: str, request: Request, desk: DeskDep) -> Response:
    """A webhook to the notice_url of one charge: the token names the workflow and the order."""
    route = read_notice([secret.get_secret_value() for secret in desk.settings.webhook_secret], token)
    if route is None:
        WEBHOOKS.labels("forged").inc()
        raise Problem(404, "not_found", "Not found")
    body = await _read(request)
    if body.merchant_uid != route.merchant_uid:
        WEBHOOKS.labels("forged").inc()
        raise Problem(404, "not_found", "Not found")
    return await _receive(desk, body, "token", route)


@router.post("/webhooks/portone")
async def receive_from_console(request: Request, desk: DeskDep) -> Response:
    """A webhook to the URL configured in PortOne's console."""
    return await _receive_from_portone(request, desk, "console")


@router.post("/iamport-callback/schedule")
async def receive_schedule(request: Request, desk: DeskDep) -> Response:
    """The same, at the path that PortOne's guide uses."""
    return await _receive_from_portone(request, desk, "schedule")


async def _receive_from_portone(request: Request, desk: Desk, route: str) -> Response:
    address = client_address(request, desk.settings.trusted_proxies)
    if not is_within(address, desk.settings.webhook_allowed_ips):
        WEBHOOKS.labels("refused_address").inc()
        raise Problem(403, "forbidden", "This URL is open to PortOne's addresses")
    return await _receive(desk, await _read(request), route, None)


async def _receive(desk: Desk, body: WebhookBody, name: str, route: NoticeRoute | None) -> Response:
    """Store first, then answer; ring in between, since a bell that cannot be rung now is rung later."""
    try:
        hook = ReceivedWebhook(
            imp_uid=body.imp_uid,
            merchant_uid=body.merchant_uid,
            status=body.status,
            route=name,
            cancellation_id=body.cancellation_id or "",
            workflow_id=route.workflow_id if route else None,
        )
    except ValueError:
        raise _malformed() from None
    if fail_points.ARE_ON:
        fail_points.reach("before receive_webhook", hook.merchant_uid)
    receipt = await _stored(desk, hook)
    if fail_points.ARE_ON:
        fail_points.reach("after receive_webhook", hook.merchant_uid)
    if receipt.coalesced:
        # One look at the order answers it with all the others: the sweep asks for it.
        WEBHOOKS.labels("coalesced").inc()
    elif not receipt.first:
        WEBHOOKS.labels("duplicate").inc()
    elif receipt.workflow_id is None:
        WEBHOOKS.labels("unknown_order").inc()
    else:
        WEBHOOKS.labels("delivered").inc()
        await ring(desk, receipt.inbox_id, receipt.workflow_id, hook)
    return Response(status_code=200)


async def _stored(desk: Desk, hook: ReceivedWebhook) -> InboxReceipt:
    """Store it, and wait a second time where another process writes: most senders send a webhook once.

    Twice what a writer waits is still less than the thirty seconds after which PortOne gives up.
    """
    try:
        return await desk.ledger.receive_webhook(hook, desk.now())
    except LedgerLockedError:
        return await desk.ledger.receive_webhook(hook, desk.now())


async def _read(request: Request) -> WebhookBody:
    try:
        return WebhookBody.model_validate(await _parsed(request, (await request.body())[:MAX_BODY_BYTES]))
    except (ValueError, ValidationError, RecursionError, HTTPException) as error:
        if isinstance(error, HTTPException) and error.status_code == TOO_LARGE:
            raise
        raise _malformed() from None


def _malformed() -> Problem:
    WEBHOOKS.labels("malformed").inc()
    return Problem(400, "malformed_webhook", "imp_uid and merchant_uid are required, as JSON or as a form")


async def _parsed(request: Request, raw: bytes) -> Any:
    if request.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded"):
        return dict(await request.form())
    return json.loads(raw)
