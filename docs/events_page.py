"""docs/reference/events.md, from the catalogue: every event, its sentence, its data, and how to verify it."""

import inspect
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter

from billing.domain.delivery import DISABLE_AFTER, MAX_ATTEMPTS, RETRY_AFTER
from billing.domain.event_catalogue import CATALOGUE, CATALOGUED_PING, PING, CataloguedEvent, as_json
from billing.domain.event_data import (
    ChangeData,
    ChargeData,
    ConsentData,
    DifferenceData,
    OverdueData,
    ParkedData,
    PaymentMethodData,
    PingData,
    PlanData,
    RefundData,
    SubscriptionData,
)
from billing.domain.instants import rfc3339

UID, LIFE = "gildong_0001", "s4f2k9x0c7m1q8z5t3bd"
ORDER, IMP_UID = f"{LIFE}00002a", "imp_448280090638"
START, END = datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 28, tzinfo=UTC)
PLAN = PlanData("월간 이용권", 9900, "KRW", "month", 1, plan_id="monthly")
LARGER = PlanData("월간 이용권 플러스", 14900, "KRW", "month", 1, plan_id="monthly-plus")

EXAMPLES = MappingProxyType(
    {
        OverdueData: OverdueData(UID, LIFE, "active", 2, "registered", ORDER, END, END + timedelta(hours=3)),
        SubscriptionData: SubscriptionData(
            UID,
            LIFE,
            "active",
            PLAN,
            9900,
            "KRW",
            current_period_start=START,
            current_period_end=END,
            next_charge_at=END,
            card="신한카드 ****1234",
        ),
        ChargeData: ChargeData(
            UID,
            LIFE,
            ORDER,
            2,
            "paid",
            9900,
            "KRW",
            imp_uid=IMP_UID,
            charged_amount=9900,
            due_at=END,
            paid_at=END,
        ),
        ChangeData: ChangeData(
            UID, LIFE, PLAN, LARGER, "prorate", START, 2500, "KRW", merchant_uid=f"{LIFE}00001b", imp_uid=IMP_UID
        ),
        ConsentData: ConsentData(
            UID, LIFE, f"{LIFE}-2", "price_rise", "asked", 9900, 14900, "KRW", effective_at=END, expires_at=END
        ),
        ParkedData: ParkedData(
            UID,
            LIFE,
            "active",
            "PortOne has two paid rows for one order",
            decisions=("paid", "refund"),
            known=(f"order {ORDER} of period 2: mismatch",),
            merchant_uid=ORDER,
            imp_uid=IMP_UID,
        ),
        RefundData: RefundData(UID, LIFE, "r0c1d2e3f4a5b", ORDER, IMP_UID, "refunded", 3000, "KRW", remaining=6900),
        PaymentMethodData: PaymentMethodData(
            UID, LIFE, "gildong_0002", previous_customer_uid=UID, card="국민카드 ****5678", pg_provider="nice"
        ),
        DifferenceData: DifferenceData(
            UID,
            LIFE,
            "paid_at_portone_only",
            END,
            portone="paid 9,900 KRW",
            ledger="declined",
            merchant_uid=ORDER,
            imp_uid=IMP_UID,
            amount=9900,
            currency="KRW",
        ),
        PingData: PingData("ep_0123456789abcdef01234567"),
    }
)

_HEAD = Path(__file__).parent / "templates" / "events.md"


def events_page() -> str:
    """docs/reference/events.md."""
    texts = {
        "{distances}": ", ".join(_words(distance) for distance in RETRY_AFTER),
        "{attempts}": str(MAX_ATTEMPTS),
        "{span}": "three days",
        "{disable_days}": str(DISABLE_AFTER.days),
    }
    head = _HEAD.read_text()
    for placeholder, text in texts.items():
        head = head.replace(placeholder, text)
    entries = _entries()
    rows = (f"| `{name}` | {entry.sentence} | {_link(entry.data)} |\n" for name, entry in entries)
    first = {entry.data: name for name, entry in reversed(entries)}
    shapes = (_shape(shape, first[shape]) for shape in EXAMPLES)
    plan = f"\n## PlanData\n\nThe terms of a plan inside other data.\n\n{_table(PlanData)}"
    return head + "".join(rows) + "".join(shapes) + plan


def _link(shape: type) -> str:
    return f"[{shape.__name__}](#{shape.__name__.lower()})"


def events_schema() -> str:
    """docs/reference/events.schema.json: a JSON Schema of the whole body, by its `type`."""
    shapes = list(EXAMPLES)
    adapters: list[tuple[Any, Any, TypeAdapter[Any]]] = [(shape, "validation", TypeAdapter(shape)) for shape in shapes]
    references, definitions = TypeAdapter.json_schemas(adapters)
    bodies = [
        {
            "title": entry.sentence,
            "properties": {
                "type": {"const": name},
                "timestamp": {"type": "string", "format": "date-time"},
                "data": references[entry.data, "validation"],
            },
            "required": ["type", "timestamp", "data"],
        }
        for name, entry in _entries()
    ]
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "oneOf": bodies, **_plain(definitions)}
    return _pretty(schema) + "\n"


def _entries() -> list[tuple[str, CataloguedEvent]]:
    return [*((kind.value, entry) for kind, entry in CATALOGUE.items()), (PING, CATALOGUED_PING)]


def _shape(shape: type, name: str) -> str:
    body = example(shape, name)
    about = inspect.cleandoc(shape.__doc__ or "").split("\n", 1)[0]
    return f"\n## {shape.__name__}\n\n{about}\n\n{_table(shape)}\n```json\n{_pretty(body)}\n```\n"


def example(shape: type, name: str) -> dict[str, Any]:
    """A body with data of this shape."""
    data = EXAMPLES[shape]
    return {"type": name, "timestamp": rfc3339(getattr(data, "paid_at", None) or START), "data": as_json(data)}


def _table(shape: type) -> str:
    rows = (f"| `{field}` | {meaning} |\n" for field, meaning in _meanings(shape).items())
    return f"| Field | Meaning |\n|---|---|\n{''.join(rows)}"


def _meanings(shape: type) -> dict[str, str]:
    """What each field means, from the docstrings of the shape and of what it inherits."""
    found: dict[str, str] = {}
    for each in reversed(shape.__mro__):
        arguments = inspect.cleandoc(each.__doc__ or "").partition("Args:\n")[2].partition("\nRaises:")[0]
        for line in re.split(r"\n {4}(?! )", "\n" + arguments.rstrip()):
            field, _, meaning = line.strip().partition(": ")
            if meaning:
                found[field] = re.sub(r"\bNone\b", "null", " ".join(meaning.split()))
    return found


def _plain(schema: Any) -> Any:
    """The schema without pydantic's titles and our docstrings, which the tables already show."""
    if isinstance(schema, dict):
        dropped = {"title", "description"} if {"type", "anyOf", "$ref"} & set(schema) else set()
        return {key: _plain(value) for key, value in schema.items() if key not in dropped}
    return [_plain(item) for item in schema] if isinstance(schema, list) else schema


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _words(distance: timedelta) -> str:
    seconds = int(distance.total_seconds())
    for unit, size in (("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds} seconds"
