"""INSERT ... ON CONFLICT, in the words of the database at hand."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, or_, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

Values = Mapping[str, Any]


def written_at() -> datetime:
    """When a row is being written: this machine's clock, for people who debug, never for decisions."""
    return datetime.now(UTC)


def insert_into(connection: AsyncConnection, table: Table) -> Any:
    """An INSERT that knows `ON CONFLICT`."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


async def insert_once(connection: AsyncConnection, table: Table, values: Values) -> bool:
    """Insert a row unless something of it is already taken; whether it was inserted."""
    insert = insert_into(connection, table).values(**values).on_conflict_do_nothing()
    key = next(iter(table.primary_key))
    return (await connection.execute(insert.returning(key))).first() is not None


async def upsert(
    connection: AsyncConnection,
    table: Table,
    values: Values,
    *,
    changes: Sequence[str],
    only_if: ColumnElement[bool] | None = None,
    compare: bool = True,
) -> bool:
    """Insert a row, or bring `changes` of the one with its primary key up to date; whether anything was written.

    A row that already says the same is left alone, `updated_at` too; without `compare` (PostgreSQL cannot compare JSON)
    `only_if` alone decides. `only_if` looks at the stored row. `created_at` and `updated_at` are added.
    """
    now = written_at()
    insert = insert_into(connection, table).values(**values, created_at=now, updated_at=now)
    fresh = {name: insert.excluded[name] for name in changes}
    conditions = [] if only_if is None else [only_if]
    if compare:
        conditions.append(or_(*(table.c[name].is_distinct_from(fresh[name]) for name in changes)))
    statement = insert.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={**fresh, "updated_at": now},
        where=and_(true(), *conditions),
    )
    key = next(iter(table.primary_key))
    return (await connection.execute(statement.returning(key))).first() is not None
