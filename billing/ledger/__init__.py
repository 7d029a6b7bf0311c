"""The ledger: the only place SQLAlchemy is imported."""

from billing.ledger.backup import Backup, BackupError, back_up, restore
from billing.ledger.deliveries import Deliveries
from billing.ledger.differences import DifferenceRow, Noted, RunRow
from billing.ledger.endpoints import Endpoints
from billing.ledger.errors import (
    CardGoneError,
    LedgerConflictError,
    LedgerDamagedError,
    LedgerError,
    LedgerLockedError,
    LedgerLostError,
    LedgerUnavailableError,
)
from billing.ledger.event_rows import (
    AttemptClosed,
    DeliveryRow,
    DeliveryTurn,
    EndpointRow,
    EventRow,
    EventStream,
    HistoryRow,
    Parcel,
    Sent,
)
from billing.ledger.events import Events
from billing.ledger.ledger import Ledger
from billing.ledger.reconciliation import LivingSubscription
from billing.ledger.rows import (
    BillingKeyRow,
    ChargeRow,
    Cursor,
    IdempotencyClaim,
    InboxReceipt,
    InboxRow,
    ParkedRow,
    PaymentRow,
    PlanRow,
    ReceivedWebhook,
    RefundRow,
    ResultRow,
    SubscriptionRow,
)
from billing.ledger.sqlite_file import holders_of_deleted
from billing.ledger.sqlite_version import sqlite_warning
from billing.ledger.vault import CardVault

__all__ = [
    "AttemptClosed",
    "Backup",
    "BackupError",
    "BillingKeyRow",
    "CardGoneError",
    "CardVault",
    "ChargeRow",
    "Cursor",
    "Deliveries",
    "DeliveryRow",
    "DeliveryTurn",
    "DifferenceRow",
    "EndpointRow",
    "Endpoints",
    "EventRow",
    "EventStream",
    "Events",
    "HistoryRow",
    "IdempotencyClaim",
    "InboxReceipt",
    "InboxRow",
    "Ledger",
    "LedgerConflictError",
    "LedgerDamagedError",
    "LedgerError",
    "LedgerLockedError",
    "LedgerLostError",
    "LedgerUnavailableError",
    "LivingSubscription",
    "Noted",
    "Parcel",
    "ParkedRow",
    "PaymentRow",
    "PlanRow",
    "ReceivedWebhook",
    "RefundRow",
    "ResultRow",
    "RunRow",
    "Sent",
    "SubscriptionRow",
    "back_up",
    "holders_of_deleted",
    "restore",
    "sqlite_warning",
]
