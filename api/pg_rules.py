"""What a PG can do is checked before anything is started, and the refusal names PG, call and field."""

from typing import Literal

from api.errors import Problem
from billing.domain.money import Money
from billing.domain.pg_capabilities import PgCapability, capability, provider_of
from billing.domain.records import Customer

Call = Literal["issue", "onetime", "again"]

_FIELDS = {
    "buyer_name": "name",
    "buyer_email": "email",
    "buyer_tel": "tel",
    "customer_name": "name",
    "customer_tel": "tel",
    "customer_email": "email",
    "customer_id": "id",
}


def check_pg(pg: str | None, call: Call, amount: Money | None, customer: Customer, *, stores_key: bool = False) -> None:
    """Refuse what the named PG cannot do; the default channel of the account is not known here and not checked.

    Raises:
        Problem: 422 with the field.
    """
    provider = provider_of(pg)
    row = capability(provider) if provider else None
    if row is None:
        return
    offered = {"issue": row.rest_key, "onetime": row.key_in, "again": row.again}[call]
    if not offered:
        raise Problem(422, "pg_not_supported", f"{row.provider} does not support {_WAYS[call]}", field="pg")
    if stores_key and not row.stores_key_on_onetime:
        detail = f"{row.provider} cannot store a billing key with a key-in payment"
        raise Problem(422, "pg_not_supported", detail, field="customer_uid")
    if amount is not None:
        _check_amount(row, amount)
    _check_required(row, call, customer)


_WAYS = {
    "issue": "issuing a billing key by card number (use its payment window)",
    "onetime": "key-in payments",
    "again": "billing-key charges by REST",
}


def _check_amount(row: PgCapability, amount: Money) -> None:
    if amount.currency not in row.currencies:
        raise Problem(422, "pg_currency", f"{row.provider} does not take {amount.currency}", field="currency")
    if amount.currency == "KRW" and amount.amount < row.minimum_amount:
        detail = f"{row.provider} takes at least {row.minimum_amount} KRW"
        raise Problem(422, "pg_minimum_amount", detail, field="amount")


def _check_required(row: PgCapability, call: Call, customer: Customer) -> None:
    for name in row.required.get(call, ()):
        field = _FIELDS.get(name)
        if field is not None and not getattr(customer, field):
            detail = f"{row.provider} requires {name} for {call}"
            raise Problem(422, "pg_requires_field", detail, field=f"customer.{field}")
