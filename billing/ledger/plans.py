"""The plan catalogue: a changed price is a new version, and the old one stays for those who have it."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.domain.plans import PlanTerms
from billing.ledger.engine import writing
from billing.ledger.reads import Reads
from billing.ledger.rows import PlanRow
from billing.ledger.tables import plans
from billing.ledger.upsert import insert_once


class Plans:
    """Stores and reads versions of plans."""

    def __init__(self, engine: AsyncEngine, reads: Reads) -> None:
        self._engine = engine
        self._reads = reads

    async def put(self, plan_id: str, terms: PlanTerms, at: datetime) -> PlanRow:
        """Store terms under `plan_id`: the newest version when it is the same, else a new one."""
        stored = None
        while stored is None:
            # Once more when another caller took the same version number first.
            async with writing(self._engine) as connection:
                stored = await _put(connection, plan_id, terms, at)
        return stored

    async def get(self, plan_id: str, version: int | None = None) -> PlanRow | None:
        """One version of a plan, the newest when none is named."""
        query = select(plans).where(plans.c.plan_id == plan_id).order_by(plans.c.version.desc())
        if version is not None:
            query = query.where(plans.c.version == version)
        row = await self._reads.first(query)
        return None if row is None else _row(row)

    async def newest(self) -> list[PlanRow]:
        """The newest version of every plan, by plan_id."""
        newest = (
            select(plans.c.plan_id, func.max(plans.c.version).label("version")).group_by(plans.c.plan_id).subquery()
        )
        query = select(plans).join(
            newest, (plans.c.plan_id == newest.c.plan_id) & (plans.c.version == newest.c.version)
        )
        return [_row(row) for row in await self._reads.rows(query.order_by(plans.c.plan_id))]


async def _put(connection: AsyncConnection, plan_id: str, terms: PlanTerms, at: datetime) -> PlanRow | None:
    query = select(plans).where(plans.c.plan_id == plan_id).order_by(plans.c.version.desc()).limit(1)
    newest = (await connection.execute(query)).first()
    version = 1
    if newest is not None:
        if replace(terms, plan_id=plan_id, version=newest.version) == newest.terms:
            return _row(newest)
        version = newest.version + 1
    fixed = replace(terms, plan_id=plan_id, version=version)
    values = {"plan_id": plan_id, "version": version, "terms": fixed, "created_at": at}
    return PlanRow(plan_id, version, fixed, at) if await insert_once(connection, plans, values) else None


def _row(row: Row[Any]) -> PlanRow:
    return PlanRow(row.plan_id, row.version, row.terms, row.created_at)
