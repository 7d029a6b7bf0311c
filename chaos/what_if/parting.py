"""Where today's code and a recording part on an order: the first change that is not the recorded one."""

from datetime import datetime, timedelta
from typing import Any

from chaos.what_if.recording import Call

TOGETHER = timedelta(minutes=10)
"""Two instants that are no further apart are the same one: what it takes to ask, and not when money moves."""

_CHARGES_NOW = frozenset({"charge_again", "retry_schedule"})
_FIELDS = {
    "register_schedule": ("customer_uid", "amount", "tax_free", "vat_amount"),
    "charge_again": ("customer_uid", "amount", "tax_free", "vat_amount"),
    "RefundWorkflow": ("amount", "imp_uid", "tax_free", "vat_amount"),
}
"""Beside the order number, what of a call is money, or says whose."""


def what_parts(recorded: Call | None, name: str, args: tuple[Any, ...], now: datetime) -> str | None:
    """What makes a change another one than the recorded change in its place; None where they are the same.

    Args:
        recorded: the next change of the same order, or key, in the recording.
        name: of today's call.
        args: of today's call.
        now: when it is made.
    """
    if recorded is None:
        return f"{name} at {said(now)}, where the recording has nothing more"
    where = f"event {recorded.event_id}"
    if recorded.name != name:
        return f"{name} where the recording has {recorded.name} ({where})"
    was, told = recorded.args[0], args[0]
    pairs = {field: (getattr(was, field), getattr(told, field)) for field in _FIELDS.get(name, ())}
    for field, (before, today) in pairs.items():
        if before != today:
            return f"{name}: {field} {today} where the recording has {before} ({where})"
    before, today = _day(was, recorded.at, name), _day(told, now, name)
    if before is not None and today is not None and abs(before - today) > TOGETHER:
        return f"{name} for {said(today)} where the recording has {said(before)} ({where})"
    return None


def _day(order: Any, made_at: datetime, name: str) -> datetime | None:
    found: datetime | None = getattr(order, "schedule_at", None)
    return made_at if name in _CHARGES_NOW else found


def left_out(call: Call) -> str:
    """What parts the two where today's code does not make a change of the recording."""
    return f"{call.name} is left out, which the recording has at event {call.event_id}"


def said(instant: datetime) -> str:
    """An instant, as it is told."""
    return f"{instant:%Y-%m-%d %H:%M} UTC"
