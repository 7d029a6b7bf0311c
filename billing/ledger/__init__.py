"""The ledger: the only place SQLAlchemy is imported."""

from billing.ledger.differences import DifferenceRow, Noted, RunRow
from billing.ledger.errors import CardGoneError, LedgerConflictError, LedgerError, LedgerUnavailableError
from billing.ledger.ledger import Ledger
from billing.ledger.reconciliation import LivingSubscription
from billing.ledger.rows import (
    BillingKeyRow,
    ChargeRow,
    Cursor,
    IdempotencyClaim,
    InboxReceipt,
    InboxRow,
    PaymentRow,
    PlanRow,
    ReceivedWebhook,
    RefundRow,
    ResultRow,
    SubscriptionRow,
)
from billing.ledger.vault import CardVault

__all__ = [
    "BillingKeyRow",
    "CardGoneError",
    "CardVault",
    "ChargeRow",
    "Cursor",
    "DifferenceRow",
    "IdempotencyClaim",
    "InboxReceipt",
    "InboxRow",
    "Ledger",
    "LedgerConflictError",
    "LedgerError",
    "LedgerUnavailableError",
    "LivingSubscription",
    "Noted",
    "PaymentRow",
    "PlanRow",
    "ReceivedWebhook",
    "RefundRow",
    "ResultRow",
    "RunRow",
    "SubscriptionRow",
]
