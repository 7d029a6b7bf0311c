"""/v1/event-endpoints: where events go."""

import hmac
import secrets
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Depends, Response

from api.attempt import Attempt
from api.dependencies import Desk, DeskDep, caller_of
from api.errors import Problem
from api.event_bell import ring
from api.event_models import EndpointBody, EndpointChangeBody, EndpointId, RotateBody
from api.event_views import endpoint_view
from api.idempotency import OnceDep, answer
from api.strict_route import StrictRoute
from billing.domain.endpoint_url import RefusedUrlError, endpoint_url
from billing.egress import AddressRefusedError, HostNotFoundError, check_host
from billing.ledger import EndpointRow, LedgerConflictError
from billing.signing import secret_of

router = APIRouter(
    prefix="/v1/event-endpoints", tags=["events"], dependencies=[Depends(caller_of)], route_class=StrictRoute
)

MAX_ENDPOINTS = 20
"""Every event becomes a row, a run and a request for each of them."""


@router.post("", status_code=201)
async def add_endpoint(body: EndpointBody, once: OnceDep, desk: DeskDep) -> Response:
    """Send what happens from now on to an address; the answer shows its secret, once.

    Where this answer was lost, the same Idempotency-Key gets it again; without one, the same address is answered 409
    with its endpoint_id: rotate its secret.
    """

    async def add(attempt: Attempt) -> Response:
        await _check_address(desk, body.url)
        living = await desk.endpoints.all()
        if len(living) >= MAX_ENDPOINTS:
            raise Problem(409, "too_many_endpoints", f"there are {MAX_ENDPOINTS} endpoints; delete one first")
        shown = _secrets_of(desk, attempt.resource)[0]
        attempt.writes()
        added = await desk.endpoints.add(
            attempt.resource,
            body.url,
            shown["secret"],
            event_types=body.event_types,
            description=body.description,
        )
        # An earlier try of this request may have stored it.
        added = added or await desk.endpoints.get(attempt.resource)
        if added is None:
            raise await _taken(desk, body.url)
        return answer(201, {**endpoint_view(added), **shown})

    drawn = f"ep_{secrets.token_hex(12)}"
    return await once(drawn, add, by_body=False, shown_once=lambda resource: _secrets_of(desk, resource))


@router.get("")
async def list_endpoints(desk: DeskDep) -> dict[str, Any]:
    """Every endpoint, oldest first."""
    return {"endpoints": [endpoint_view(row) for row in await desk.endpoints.all()]}


@router.get("/{endpoint_id}")
async def get_endpoint(endpoint_id: EndpointId, desk: DeskDep) -> dict[str, Any]:
    """One endpoint."""
    return endpoint_view(_found(await desk.endpoints.get(endpoint_id)))


@router.patch("/{endpoint_id}")
async def change_endpoint(endpoint_id: EndpointId, body: EndpointChangeBody, desk: DeskDep) -> dict[str, Any]:
    """Change its address, what it is sent, or whether it is sent anything; what waits for a disabled one is skipped."""
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    for name in ("url", "enabled"):
        if name in changes and changes[name] is None:
            raise Problem(422, "invalid_request", "must not be null", field=name)
    if body.url is not None:
        await _check_address(desk, body.url)
    try:
        return endpoint_view(_found(await desk.endpoints.change(endpoint_id, changes)))
    except LedgerConflictError:
        raise await _taken(desk, body.url) from None


@router.delete("/{endpoint_id}")
async def delete_endpoint(endpoint_id: EndpointId, once: OnceDep, desk: DeskDep) -> Response:
    """Send nothing there any more and forget its secrets; what waited is skipped."""

    async def delete(attempt: Attempt) -> Response:
        attempt.writes()
        if not await desk.endpoints.delete(endpoint_id, desk.now()):
            raise _not_found()
        return answer(200, {"endpoint_id": endpoint_id, "deleted": True})

    return await once(endpoint_id, delete, by_body=False)


@router.post("/{endpoint_id}/rotate-secret")
async def rotate_secret(
    endpoint_id: EndpointId, once: OnceDep, desk: DeskDep, body: RotateBody | None = None
) -> Response:
    """Sign with a new secret; the old one signs beside it for a while, a day unless said otherwise."""
    hours = body.overlap_hours if body else None
    overlap = timedelta(hours=desk.settings.event_secret_overlap_hours if hours is None else hours)

    async def rotate(attempt: Attempt) -> Response:
        shown = _secrets_of(desk, attempt.resource)[0]
        attempt.writes()
        rotated = _found(await desk.endpoints.rotate(endpoint_id, shown["secret"], desk.now() + overlap))
        return answer(200, {**endpoint_view(rotated), **shown})

    drawn = f"secret_{secrets.token_hex(16)}"
    return await once(drawn, rotate, by_body=False, shown_once=lambda resource: _secrets_of(desk, resource))


@router.post("/{endpoint_id}/test", status_code=202)
async def send_test(endpoint_id: EndpointId, once: OnceDep, desk: DeskDep) -> Response:
    """Send it an `endpoint.ping`, whatever it listens to, the way of every event; read the event to see what came."""

    async def send(attempt: Attempt) -> Response:
        attempt.writes()
        waiting = await desk.endpoints.ping(endpoint_id, attempt.resource, desk.now())
        if waiting is None:
            _found(await desk.endpoints.get(endpoint_id))
            raise Problem(409, "endpoint_disabled", "nothing is sent to a disabled endpoint; enable it first")
        await ring(desk, waiting)
        attempt.is_settled()
        return answer(202, {"event_id": attempt.resource, "endpoint_id": endpoint_id})

    return await once(f"ping_{secrets.token_hex(12)}", send, by_body=False)


def _secrets_of(desk: Desk, resource: str) -> list[dict[str, str]]:
    """The secret that belongs to one request, made again for its replay, so that no answer with it is kept."""
    return [
        {"secret": secret_of(hmac.digest(key, f"endpoint secret\n{resource}".encode(), "sha256"))}
        for key in desk.settings.event_keys()
    ]


async def _check_address(desk: Desk, url: str) -> None:
    try:
        await check_host(endpoint_url(url, allow_loopback=desk.settings.event_loopback), desk.resolver)
    except RefusedUrlError as error:
        raise Problem(422, "endpoint_url_refused", str(error), field="url") from None
    except AddressRefusedError:
        raise Problem(422, "endpoint_url_refused", "must not lead to a private address", field="url") from None
    except HostNotFoundError:
        raise Problem(422, "endpoint_url_refused", "must name a host that can be found", field="url") from None


async def _taken(desk: Desk, url: str | None) -> Problem:
    owner = next((row.endpoint_id for row in await desk.endpoints.all() if row.url == url), None)
    return Problem(409, "endpoint_exists", "another endpoint has this address", field="url", endpoint_id=owner)


def _found(row: EndpointRow | None) -> EndpointRow:
    if row is None:
        raise _not_found()
    return row


def _not_found() -> Problem:
    return Problem(404, "endpoint_not_found", "there is no such endpoint")
