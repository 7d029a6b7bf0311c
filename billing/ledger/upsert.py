"""INSERT ... ON CONFLICT, in the words of the database at hand.

A statement is put together once and then executed with other values: to put one together costs SQLAlchemy several times
what it costs to execute it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, or_, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

Values = Mapping[str, Any]

OnlyIf = Callable[[Any], ColumnElement[bool]]
"""A condition on the stored row and on the columns of the one that is to take its place; a function of a module."""

_KEPT_STATEMENTS = 512


def written_at() -> datetime:
    """When a row is being written: this machine's clock, for people who debug, never for decisions."""
    return datetime.now(UTC)


def insert_into(connection: AsyncConnection, table: Table) -> Any:
    """An INSERT that knows `ON CONFLICT`."""
    return insert_in(connection.dialect.name, table)


async def insert_once(connection: AsyncConnection, table: Table, values: Values) -> bool:
    """Insert a row unless something of it is already taken; whether it was inserted."""
    statement = _insert_once(connection.dialect.name, table)
    return (await connection.execute(statement, dict(values))).first() is not None


async def upsert(
    connection: AsyncConnection,
    table: Table,
    values: Values,
    *,
    changes: Sequence[str],
    only_if: OnlyIf | None = None,
    compare: bool = True,
) -> bool:
    """Insert a row, or bring `changes` of the one with its primary key up to date; whether anything was written.

    A row that already says the same is left alone, `updated_at` too; without `compare` (PostgreSQL cannot compare JSON)
    `only_if` alone decides. `created_at` and `updated_at` are added.
    """
    now = written_at()
    statement = _upsert(connection.dialect.name, table, tuple(changes), only_if, compare)
    written = await connection.execute(statement, {**values, "created_at": now, "updated_at": now})
    return written.first() is not None


def insert_in(dialect: str, table: Table) -> Any:
    """The same, for a dialect by its name."""
    return (sqlite if dialect == "sqlite" else postgresql).insert(table)


@lru_cache(_KEPT_STATEMENTS)
def _insert_once(dialect: str, table: Table) -> Any:
    return insert_in(dialect, table).on_conflict_do_nothing().returning(next(iter(table.primary_key)))


@lru_cache(_KEPT_STATEMENTS)
def _upsert(dialect: str, table: Table, changes: tuple[str, ...], only_if: OnlyIf | None, compare: bool) -> Any:
    insert = insert_in(dialect, table)
    fresh = insert.excluded
    conditions = [] if only_if is None else [only_if(fresh)]
    if compare:
        conditions.append(or_(*(table.c[name].is_distinct_from(fresh[name]) for name in changes)))
    return insert.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={name: fresh[name] for name in (*changes, "updated_at")},
        where=and_(true(), *conditions),
    ).returning(next(iter(table.primary_key)))
