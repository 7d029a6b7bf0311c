"""What the API shows of outgoing events; no secret, but to whoever it was just made for."""

from typing import Any

from api.views import Json, instant
from billing.domain.money import Money
from billing.ledger import DeliveryRow, EndpointRow, EventRow, HistoryRow


def event_view(row: EventRow) -> Json:
    """One event; `number` counts all events, and a page goes on after it."""
    return {
        "event_id": row.event_id,
        "number": row.event_no,
        "type": row.type,
        "at": instant(row.at),
        "customer_uid": row.customer_uid,
        "subscription_id": row.subscription_id,
        "merchant_uid": row.merchant_uid,
        "summary": row.summary,
        "data": dict(row.data),
    }


def endpoint_view(row: EndpointRow) -> Json:
    """One endpoint; `event_types` null takes every type."""
    return {
        "endpoint_id": row.endpoint_id,
        "url": row.url,
        "description": row.description,
        "event_types": None if row.event_types is None else list(row.event_types),
        "enabled": row.enabled,
        "disabled_reason": row.disabled_reason,
        "failing_since": instant(row.failing_since),
        "previous_secret_until": instant(row.previous_secret_until),
        "created_at": instant(row.created_at),
    }


def delivery_view(row: DeliveryRow) -> Json:
    """How far one event came at one endpoint."""
    return {
        "endpoint_id": row.endpoint_id,
        "event_id": row.event_id,
        "type": row.type,
        "customer_uid": row.customer_uid,
        "state": row.state.value,
        "attempts": row.attempts,
        "attempted_at": instant(row.attempted_at),
        "next_attempt_at": instant(row.due_at),
        "last_status": row.last_status,
        "last_error": row.last_error,
        "response": row.response,
        "replays": row.replays,
    }


def history_view(row: HistoryRow) -> Json:
    """One line of a subscription's history, for a person to read."""
    return {
        "at": instant(row.at),
        "kind": row.kind,
        "name": row.name,
        "summary": _summary(row),
        "merchant_uid": row.merchant_uid,
        "imp_uid": row.imp_uid or None,
    }


def _summary(row: HistoryRow) -> str:
    name = row.name.replace("_", " ")
    if row.kind == "event":
        return row.text or name
    if row.kind == "webhook":
        came_to = row.text.replace("_", " ") if row.text else "not looked up yet"
        return f"PortOne reported order {row.merchant_uid} as {name}: {came_to}"
    what = "refund" if row.kind == "refund" else "charge"
    words = f"The {what} of {_money(row)} for order {row.merchant_uid} is {name}"
    return f"{words}: {row.text}" if row.text else words


def _money(row: HistoryRow) -> Any:
    return "unknown" if row.amount is None or row.currency is None else Money(row.amount, row.currency)
