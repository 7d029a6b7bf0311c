"""The plan catalogue: a changed price is a new version, and the old one stays for those who have it."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.plans import PlanTerms
from billing.ledger.reads import Reads
from billing.ledger.rows import PlanRow
from billing.ledger.tables import plans
from billing.ledger.writes import PLAN_TERMS


class Plans:
    """Stores and reads versions of plans."""

    def __init__(self, engine: AsyncEngine, reads: Reads) -> None:
        self._engine = engine
        self._reads = reads

    async def put(self, plan_id: str, terms: PlanTerms, at: datetime) -> PlanRow:
        """Store terms under `plan_id`: the newest version when it is the same, else a new one."""
        async with self._engine.begin() as connection:
            newest = select(plans).where(plans.c.plan_id == plan_id).order_by(plans.c.version.desc()).limit(1)
            row = (await connection.execute(newest)).first()
            version = 1 if row is None else row.version
            if row is not None:
                stored = _row(row)
                if replace(terms, plan_id=plan_id, version=version) == stored.terms:
                    return stored
                version += 1
            fixed = replace(terms, plan_id=plan_id, version=version)
            await connection.execute(
                insert(plans).values(
                    plan_id=plan_id,
                    version=version,
                    terms=PLAN_TERMS.dump_python(fixed, mode="json"),
                    created_at=at,
                )
            )
        return PlanRow(plan_id, version, fixed, at)

    async def get(self, plan_id: str, version: int | None = None) -> PlanRow | None:
        """One version of a plan, the newest when none is named."""
        query = select(plans).where(plans.c.plan_id == plan_id).order_by(plans.c.version.desc()).limit(1)
        if version is not None:
            query = query.where(plans.c.version == version)
        found = await self._reads.rows(query)
        return _row(found[0]) if found else None

    async def list(self) -> list[PlanRow]:
        """The newest version of every plan, by plan_id."""
        newest = (
            select(plans.c.plan_id, func.max(plans.c.version).label("version")).group_by(plans.c.plan_id).subquery()
        )
        query = select(plans).join(
            newest, (plans.c.plan_id == newest.c.plan_id) & (plans.c.version == newest.c.version)
        )
        return [_row(row) for row in await self._reads.rows(query.order_by(plans.c.plan_id))]


def _row(row: Row[Any]) -> PlanRow:
    return PlanRow(row.plan_id, row.version, PLAN_TERMS.validate_python(row.terms), row.created_at)
