"""POSTs that create or charge, once per Idempotency-Key (design section 2)."""

from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from api.dependencies import Desk
from api.errors import Problem, problem_response

HEADER = "Idempotency-Key"
MAX_LENGTH = 255

# What is kept as the first answer: something was started, or charged, or refused by the card's issuer.
KEPT = frozenset({200, 201, 402})


async def once(
    request: Request, desk: Desk, caller: str, resource: str, work: Callable[[str], Awaitable[Response]]
) -> Response:
    """Do `work` for a new resource id, or answer what was answered before.

    A key whose first request did not come to an answer (it timed out with 202, or this process died) does the work
    again for the same resource id; the work joins what is already running under it.

    Raises:
        Problem: 422 for a key that stands for another body, or one that is too long.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return await _answered(work, resource)
    if not 1 <= len(key) <= MAX_LENGTH or not key.isprintable():
        raise Problem(422, "invalid_idempotency_key", f"{HEADER} must be 1 to {MAX_LENGTH} characters", field=HEADER)
    scope = f"{caller} {request.method} {request.url.path}"[:120]
    claim = await desk.ledger.claim_idempotency_key(
        scope, key, desk.fingerprint(await request.body()), resource, desk.now()
    )
    if claim.kind == "mismatch":
        raise Problem(422, "idempotency_key_reused", f"this {HEADER} was used with another body", field=HEADER)
    if claim.kind == "replay" and claim.status is not None:
        media_type = "application/json" if claim.status < 400 else "application/problem+json"  # noqa: PLR2004
        return Response(claim.body, claim.status, {"Idempotent-Replayed": "true"}, media_type)
    answer = await _answered(work, claim.resource)
    if answer.status_code in KEPT:
        await desk.ledger.finish_idempotency_key(scope, key, answer.status_code, bytes(answer.body).decode())
    elif 400 <= answer.status_code < 500:  # noqa: PLR2004
        await desk.ledger.release_idempotency_key(scope, key)
    return answer


async def _answered(work: Callable[[str], Awaitable[Response]], resource: str) -> Response:
    try:
        return await work(resource)
    except Problem as problem:
        return problem_response(problem)


def answer(status: int, body: object) -> JSONResponse:
    """A JSON answer that can be kept."""
    return JSONResponse(body, status)
