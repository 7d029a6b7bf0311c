"""Alembic migrations of the ledger; run by `gudok db upgrade` and by `Ledger.migrate`."""
