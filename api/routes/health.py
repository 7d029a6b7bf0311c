"""/healthz, /readyz, /metrics."""

import asyncio
from datetime import timedelta

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.dependencies import DeskDep
from api.errors import Problem
from api.strict_route import StrictRoute

router = APIRouter(tags=["health"], route_class=StrictRoute)

CHECK_SECONDS = 2.0


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Whether this process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(desk: DeskDep) -> JSONResponse:
    """Whether the ledger takes a write and Temporal answers; webhooks are stored while Temporal does not."""
    parts = {}
    for name, check in (
        ("ledger", desk.ledger.check()),
        ("temporal", desk.temporal.service_client.check_health(timeout=timedelta(seconds=CHECK_SECONDS))),
    ):
        try:
            await asyncio.wait_for(check, CHECK_SECONDS)
            parts[name] = "ok"
        except Exception:  # noqa: BLE001 - not ready is the answer, whatever the reason
            parts[name] = "unavailable"
    if any(state != "ok" for state in parts.values()):
        raise Problem(503, "not_ready", "what this process needs does not answer", **parts)
    return JSONResponse({"status": "ok", **parts})


@router.get("/metrics")
async def metrics() -> Response:
    """Prometheus metrics."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
