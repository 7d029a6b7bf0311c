"""Migrations: up, down, up; the models are their head; any number of processes may start at once."""

import asyncio
import sys

import pytest
from sqlalchemy import text

from billing.domain.records import LedgerEntry
from billing.ledger import Ledger, LedgerError, migrate
from billing.ledger.engine import open_engine, reading, writing
from billing.ledger.tables import metadata
from tests.ledger.conftest import Database
from tests.ledger.stories import day, everything, intent, paid, subscription

SCHEMA = {
    "sqlite": """
        SELECT name, sql FROM sqlite_master
         WHERE name NOT LIKE 'sqlite_%' AND name <> 'alembic_version' ORDER BY 1""",
    "postgresql": """
        SELECT c.relname || ':' || x.conname, pg_get_constraintdef(x.oid)
          FROM pg_constraint x JOIN pg_class c ON c.oid = x.conrelid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relname <> 'alembic_version'
         UNION ALL
        SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'
         UNION ALL
        SELECT table_name || '.' || column_name, data_type || is_nullable || coalesce(column_default, '')
          FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
         ORDER BY 1, 2""",
}


async def schema(database: Database) -> list[tuple[str, str]]:
    engine = open_engine(database.url, creates=True)
    async with reading(engine) as connection:
        rows = (await connection.execute(text(SCHEMA[database.backend]))).all()
    await engine.dispose()
    return [(name, _to_the_letter(sql)) for name, sql in rows if sql]


def _to_the_letter(sql: str) -> str:
    """White space and quotes aside, with the constraints of a table by name: their order means nothing, and SQLite
    gives a table that was altered anew in any order."""
    head, *constraints = " ".join(sql.replace('"', "").split()).removesuffix(" )").split(", CONSTRAINT ")
    return ", CONSTRAINT ".join([head, *sorted(constraints)])


async def test_a_database_that_was_not_migrated_says_so(empty: Database) -> None:
    ledger = Ledger(empty.url)
    with pytest.raises(LedgerError):
        await ledger.list_charges()
    await ledger.aclose()


async def test_up_down_and_up_again_ends_where_up_ended(empty: Database) -> None:
    await migrate.upgrade(empty.url)
    first = await schema(empty)
    assert {name for name, _ in first} >= {"uq_charges_one_paid_per_cycle", "ix_webhook_inbox_to_be_rung"}
    await migrate.downgrade(empty.url)
    assert await schema(empty) == []
    await migrate.upgrade(empty.url)
    assert await schema(empty) == first


async def test_every_single_step_leads_back_to_where_it_came_from(empty: Database) -> None:
    revision, states = "base", []
    while True:
        states.append(await schema(empty))
        await migrate.upgrade(empty.url, "+1" if revision == "base" else f"{revision}+1")
        reached = await current(empty)
        if reached == await head(empty):
            break
        revision = reached
    for expected in reversed(states):
        await migrate.downgrade(empty.url, "-1")
        assert await schema(empty) == expected


async def current(database: Database) -> str:
    engine = open_engine(database.url, creates=True)
    async with reading(engine) as connection:
        found: str = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one()
    await engine.dispose()
    return found


async def head(_database: Database) -> str:
    return max(path.name[:4] for path in (migrate.MIGRATIONS / "versions").glob("[0-9]*.py"))


async def test_autogenerate_finds_nothing_to_do(empty: Database) -> None:
    assert await migrate.differences(empty.url) != []
    await migrate.upgrade(empty.url)
    assert await migrate.differences(empty.url) == []


async def test_migrations_and_models_make_the_same_schema_to_the_letter(empty: Database) -> None:
    """Autogenerate does not look at checks nor at the WHERE of an index: the databases' own words do."""
    engine = open_engine(empty.url, creates=True)
    async with writing(engine) as connection:
        await connection.run_sync(metadata.create_all)
    modelled = await schema(empty)
    async with writing(engine) as connection:
        await connection.run_sync(metadata.drop_all)
    await engine.dispose()
    await migrate.upgrade(empty.url)
    assert [normal(name, sql) for name, sql in await schema(empty)] == [normal(name, sql) for name, sql in modelled]


def normal(name: str, sql: str) -> tuple[str, list[str]]:
    # The order of a table's constraints says nothing.
    return name, sorted(part.strip(" (),") for part in sql.replace(" CONSTRAINT ", ", CONSTRAINT ").split(", "))


async def test_migrating_again_changes_nothing_that_is_written(empty: Database) -> None:
    ledger = Ledger(empty.url)
    await ledger.migrate()
    await ledger.record(LedgerEntry(subscription=subscription(), intents=(intent(),)))
    await ledger.record(paid())
    before = await everything(ledger)
    await asyncio.gather(*(ledger.migrate() for _ in range(5)))
    assert await everything(ledger) == before
    await ledger.aclose()


async def test_processes_that_start_at_once_migrate_once(empty: Database) -> None:
    script = f"import asyncio; from billing.ledger import Ledger; asyncio.run(Ledger({empty.url!r}).migrate())"
    starts = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", script, stderr=asyncio.subprocess.PIPE)
        for _ in range(2)
    ]
    ends = await asyncio.gather(*(start.communicate() for start in starts))
    assert [start.returncode for start in starts] == [0] * 2, b"\n".join(said for _, said in ends if said).decode()
    ledger = Ledger(empty.url)
    await ledger.record(LedgerEntry(intents=(intent(),)))
    assert await ledger.mark_sent(intent().merchant_uid, 1, day(0))
    await ledger.aclose()


async def test_a_migration_that_fails_leaves_the_schema_as_it_was(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic.operations import Operations  # noqa: PLC0415 - only here is Alembic made to fail

    def out_of_disk(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Operations, "create_index", out_of_disk)
    with pytest.raises(LedgerError):
        await migrate.upgrade(empty.url)
    monkeypatch.undo()
    assert await schema(empty) == []
    await migrate.upgrade(empty.url)
    assert await migrate.differences(empty.url) == []
