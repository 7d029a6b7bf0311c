"""/v1/pgs: what each PG can do through PortOne V1, as it is checked before anything is called."""

from typing import Any

from fastapi import APIRouter, Depends

from api.dependencies import caller_of
from api.errors import Problem
from api.strict_route import StrictRoute
from billing.domain.pg_capabilities import PG_CAPABILITIES
from billing.domain.pg_capability import PgCapability
from billing.domain.pg_notes import PG_NOTES

router = APIRouter(prefix="/v1/pgs", tags=["pgs"], dependencies=[Depends(caller_of)], route_class=StrictRoute)


@router.get("")
async def list_pgs() -> dict[str, Any]:
    """Every PG module that is known here, by its `pg_provider`."""
    return {"pgs": [_view(row) for row in PG_CAPABILITIES.values()]}


@router.get("/{pg_provider}")
async def get_pg(pg_provider: str) -> dict[str, Any]:
    """One PG module."""
    row = PG_CAPABILITIES.get(pg_provider)
    if row is None:
        raise Problem(404, "pg_not_found", "no such PG is known here", field="pg_provider")
    return _view(row)


def _view(row: PgCapability) -> dict[str, Any]:
    return {
        "pg_provider": row.provider,
        "name": row.name,
        "name_ko": row.name_ko,
        "module": row.module,
        "key_in": row.key_in,
        "rest_key": row.rest_key,
        "window_key": row.window_key,
        "again": row.again,
        "schedule": row.schedule,
        "reschedule": row.reschedule,
        "partial_cancel": row.partial_cancel,
        "vat_amount": row.vat_amount,
        "currencies": list(row.currencies),
        "required": {call: list(names) for call, names in row.required.items()},
        "merchant_uid": {
            "reusable": row.merchant_uid_reusable,
            "alphanumeric_only": row.merchant_uid_alphanumeric_only,
        },
        "charges_at_issue": row.charges_at_issue.value,
        "minimum_amount": row.minimum_amount,
        "stores_key_on_onetime": row.stores_key_on_onetime,
        "phone_billing": row.phone_billing.value,
        "by_guide_only": row.by_guide_only,
        "notes": [{"text": note.text, "source": note.source} for note in PG_NOTES[row.provider]],
        "source": row.source,
    }
