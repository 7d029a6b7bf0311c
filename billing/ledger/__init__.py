"""The ledger: the only place SQLAlchemy is imported."""

from billing.ledger.errors import CardGoneError, LedgerConflictError, LedgerError
from billing.ledger.ledger import Ledger
from billing.ledger.rows import (
    BillingKeyRow,
    ChargeRow,
    IdempotencyClaim,
    InboxReceipt,
    InboxRow,
    PlanRow,
    ReceivedWebhook,
)
from billing.ledger.vault import CardVault

__all__ = [
    "BillingKeyRow",
    "CardGoneError",
    "CardVault",
    "ChargeRow",
    "IdempotencyClaim",
    "InboxReceipt",
    "InboxRow",
    "Ledger",
    "LedgerConflictError",
    "LedgerError",
    "PlanRow",
    "ReceivedWebhook",
]
