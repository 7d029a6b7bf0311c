"""What the ledger refuses.

LedgerError
├── LedgerConflictError   a step contradicts what is written
└── CardGoneError         the vault has no such card any more
"""


class LedgerError(Exception):
    """The ledger cannot do what was asked; nothing of it was written."""


class LedgerConflictError(LedgerError):
    """A step contradicts what is written: a second paid charge of a cycle, or an id that belongs to another order."""


class CardGoneError(LedgerError):
    """The one-time vault has no card under this handle: used, expired, or never there."""
