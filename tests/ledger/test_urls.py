"""The URLs a ledger runs on."""

from pathlib import Path

import pytest

from billing.domain.records import LedgerEntry
from billing.ledger import Ledger
from billing.ledger.engine import async_url
from tests.ledger.conftest import Database
from tests.ledger.stories import intent


@pytest.mark.parametrize("url", ["mysql://localhost/x", "sqlite://", "sqlite:///:memory:", "sqlite+aiosqlite://", "x"])
def test_what_is_no_ledger_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"use sqlite:///path"):
        Ledger(url)


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("sqlite:///a/b.db", "sqlite+aiosqlite:///a/b.db"),
        ("sqlite+aiosqlite:////a/b.db", "sqlite+aiosqlite:////a/b.db"),
        ("postgresql://u:p@h:1/d", "postgresql+asyncpg://u:p@h:1/d"),
        ("postgres://u@/d?host=/tmp", "postgresql+asyncpg://u@/d?host=%2Ftmp"),
        ("postgresql+asyncpg://h/d", "postgresql+asyncpg://h/d"),
        ("postgresql+psycopg://h/d", "postgresql+asyncpg://h/d"),
    ],
)
def test_every_way_to_write_a_url_leads_to_the_driver_that_is_there(url: str, used: str) -> None:
    assert async_url(url).render_as_string(hide_password=False) == used


async def test_both_spellings_open_the_same_database(database: Database) -> None:
    driver = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}[database.backend]
    for url in (database.url, driver + database.url.removeprefix(database.backend)):
        ledger = Ledger(url)
        await ledger.record(LedgerEntry(intents=(intent(),)))
        assert len(await ledger.list_charges()) == 1
        await ledger.aclose()


async def test_a_relative_path_is_a_file_under_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ledger = Ledger("sqlite:///.gudok/ledger.db")
    await ledger.migrate()
    await ledger.aclose()
    assert (tmp_path / ".gudok" / "ledger.db").is_file()
