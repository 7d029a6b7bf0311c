"""What the SQLite of this Python is known to get wrong, as far as a ledger is concerned."""

import sqlite3

# Fixed in 3.51.3 and, for older lines, in these (https://sqlite.org/wal.html#walresetbug).
_WAL_RESET_FIXED = (3, 51, 3)
_WAL_RESET_BACKPORTS = {(3, 44): 6, (3, 50): 7}


def sqlite_warning(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> str | None:
    """What to know about a version of SQLite, None when there is nothing.

    Before 3.51.3, two connections that checkpoint and write in the same instant can, very rarely, damage the file.
    """
    if version >= _WAL_RESET_FIXED or version[2] >= _WAL_RESET_BACKPORTS.get(version[:2], version[2] + 1):
        return None
    number = ".".join(map(str, version))
    return (
        f"SQLite {number} has the WAL-reset bug that 3.51.3 mends: very rarely, two processes that write at once "
        "can damage the file. Keep backups (`gudok db backup`), or use PostgreSQL for real money"
    )
