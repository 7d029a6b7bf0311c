"""What the ledger refuses.

LedgerError                   not written: a value the database cannot hold, or a rule of the schema
├── LedgerConflictError       a step contradicts what is written; never worth a retry
├── LedgerUnavailableError    the database is away, locked or broke off; worth a retry, every write is idempotent
│   ├── LedgerLockedError     another process writes for longer than a writer waits; worth a retry at once
│   └── LedgerLostError       the file was replaced under this process; worth a retry, by a process started anew
├── LedgerDamagedError        the file is damaged; restore a backup
└── CardGoneError             the vault has no such card any more

No error carries a bound value: messages name tables, columns and ids, and the driver's own error is not chained.
"""


class LedgerError(Exception):
    """The ledger cannot do what was asked; nothing of it was written."""


class LedgerConflictError(LedgerError):
    """A step contradicts what is written: a second paid charge of a cycle, or an id that belongs to another order."""


class LedgerUnavailableError(LedgerError):
    """The database did not answer, was locked, or the connection broke.

    When it broke at COMMIT nobody knows whether the step was written: do it again, it does nothing the second time.
    """


class LedgerLockedError(LedgerUnavailableError):
    """Another process has written for as long as a writer waits for its turn; nothing of this one was written."""


class LedgerLostError(LedgerUnavailableError):
    """The SQLite file or its log is not the one this process opened: it must end, and be started again."""


class LedgerDamagedError(LedgerError):
    """SQLite calls the file damaged, or no database: see docs/runbooks/backup.md."""


class CardGoneError(LedgerError):
    """The one-time vault has no card under this handle: used, expired, tampered with, or never there."""
