"""The client's rows against PortOne's schema: what the schema allows is read, and nothing legal hides a row."""

import json
from decimal import Decimal
from typing import Any

import pytest
from pydantic import AliasChoices, BaseModel

from billing.portone import BillingKey, Channel, Payment, Schedule
from billing.portone.models import Cancellation, KeyChannel, Prepared
from tests.portone.test_schema_names import needs_schema, schema

# The schema requires names that are no properties of these (slips of its own): the properties are what counts.
ROWS: dict[str, type[BaseModel]] = {
    "PaymentAnnotation": Payment,
    "PaymentCancelAnnotation": Cancellation,
    "ScheduleResultAnnotation": Schedule,
    "CustomerAnnotation": BillingKey,
    "SuperBillingKeyAnnotation": BillingKey,
    "SucceededChannelAnnotation": KeyChannel,
    "FailedChannelAnnotation": KeyChannel,
    "PgSettingAnnotation": Channel,
    "PaymentPrepareAnnotation": Prepared,
}

NOT_READ = {
    "PaymentAnnotation": {
        # gudok makes no virtual accounts, and asks for no promotion.
        "vbank_code", "vbank_name", "vbank_num", "vbank_holder", "vbank_date", "vbank_issued_at", "deposit_history",
        "promotion",
        # deprecated in favour of cancel_history
        "cancel_receipt_urls",
    },
    "ScheduleResultAnnotation": {"promotion_id"},
    "SucceededChannelAnnotation": {
        "card_code", "card_issuer_code", "card_issuer_name", "card_publisher_code", "card_publisher_name",
        "inserted", "updated",
    },
}  # fmt: skip

# These the schema does not require, and a row without them would be about nothing: the client needs them.
NEEDED_ALL_THE_SAME = {
    "ScheduleResultAnnotation": {"customer_uid", "merchant_uid", "schedule_status", "schedule_at", "amount"},
    "PaymentPrepareAnnotation": {"merchant_uid", "amount"},
}


def sources(model: type[BaseModel]) -> dict[str, str]:
    """The model's fields by the names they are read from."""
    found: dict[str, str] = {}
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias or name]
        found |= {str(choice): name for choice in choices}
    return found


def value_of(definition: dict[str, Any], name: str, definitions: dict[str, Any]) -> Any:
    """A value as the schema types it; of a text as long as it may be."""
    if "$ref" in definition:
        row = definitions[definition["$ref"].rsplit("/", 1)[1]]
        return {key: value_of(part, key, definitions) for key, part in row["properties"].items()}
    if definition.get("type") == "array":
        return [value_of(definition["items"], name, definitions)]
    texts = {"currency": "KRW", "card_number": "54092600****5678"}
    text = texts.get(name, "가" * int(definition.get("maxLength") or 7))
    return {"integer": 1789999999, "number": 1500, "boolean": True, "object": {}}.get(str(definition.get("type")), text)


@needs_schema
@pytest.mark.parametrize("definition", ROWS)
def test_a_row_of_every_documented_field_is_read_to_the_last_one(definition):
    document = schema()["definitions"]
    fields = document[definition]["properties"]
    row = json.loads(json.dumps({name: value_of(part, name, document) for name, part in fields.items()}))
    model = ROWS[definition]
    read = model.model_validate(row)
    by_source = sources(model)
    unread = {name for name in fields if name not in by_source}
    assert unread == NOT_READ.get(definition, set())
    for name, value in row.items():
        if name in by_source and not isinstance(value, list):
            told = getattr(read, by_source[name])
            expected = "****-****-****-5678" if name == "card_number" else value
            assert (int(told) if isinstance(told, Decimal) else told) == expected, name


@needs_schema
@pytest.mark.parametrize("definition", ROWS)
def test_nothing_is_needed_that_the_schema_does_not_require(definition):
    document = schema()["definitions"]
    required = set(document[definition].get("required") or []) & set(document[definition]["properties"])
    needed = {name for name, field in ROWS[definition].model_fields.items() if field.is_required()}
    assert needed - required == NEEDED_ALL_THE_SAME.get(definition, set()) - required
    row = {name: value_of(part, name, document) for name, part in document[definition]["properties"].items()}
    kept = required | NEEDED_ALL_THE_SAME.get(definition, set())
    ROWS[definition].model_validate({name: value if name in kept else None for name, value in row.items()})
    ROWS[definition].model_validate({name: row[name] for name in kept})


@needs_schema
def test_the_numbers_of_rows_and_fields_are_counted(record_property):
    document = schema()["definitions"]
    fields = sum(len(document[name]["properties"]) for name in ROWS)
    assert fields > 100
    record_property("contract", {"rows of the client": len(ROWS), "fields of them": fields})
