"""What a PG can do is checked before anything is started, and the refusal names PG, call and field.

The default channel of the account is not known here and not checked; the workflow checks again with the key in hand.
"""

from api.errors import Problem
from api.models import CardBody, KeyInPaymentBody
from billing.domain.bills import Holding
from billing.domain.money import Money
from billing.domain.pg_capabilities import capability, provider_of
from billing.domain.pg_capability import PgCapability
from billing.domain.pg_rules import (
    OF_CUSTOMER,
    PgCall,
    PgRefusal,
    given_by,
    refusal_of_amount,
    refusal_of_call,
    refusal_of_change,
    refusal_of_holding,
    refusal_of_number,
    refusal_of_plan,
)
from billing.domain.records import Customer

_FIELDS = {
    "pg_not_supported": "pg",
    "pg_currency": "currency",
    "pg_minimum_amount": "amount",
    "pg_vat_amount": "vat_amount",
    "pg_merchant_uid": "merchant_uid",
    "pg_phone_billing": "plan",
}


def check_issue(pg: str | None, customer: Customer, card: CardBody) -> None:
    """Refuse to issue a billing key by card number where the named PG does not, or needs more.

    Raises:
        Problem: 422 with the field.
    """
    row = _named(pg)
    if row is not None:
        _raise(refusal_of_call(row, PgCall.ISSUE, given_by(customer, card.fields())))


def check_holding(
    pg: str | None, holding: Holding, customer: Customer, *, trial_days: int = 0, short_first: bool = False
) -> None:
    """Refuse a subscription that the named PG could not bill, with a first period of some days where it has one.

    Raises:
        Problem: 422 with the field.
    """
    row = _named(pg)
    if row is not None:
        _raise(refusal_of_holding(row, holding, customer))
        terms, coupon = holding.terms, holding.coupon
        _raise(refusal_of_plan(row, terms, coupon, trial_days=trial_days, short_first=short_first))


def check_change(provider: str | None, before: Holding, after: Holding, customer: Customer) -> None:
    """Refuse a change that the PG behind the key could not bill.

    Raises:
        Problem: 422 with the field.
    """
    row = _named(provider)
    if row is not None:
        _raise(refusal_of_change(row, before.value(), after.value()))
        _raise(refusal_of_holding(row, after, customer))


def check_key_in(body: KeyInPaymentBody, amount: Money) -> None:
    """Refuse a payment by card number that the named PG does not take.

    Raises:
        Problem: 422 with the field.
    """
    row = _named(body.pg)
    if row is None:
        return
    given = given_by(body.customer.customer(), body.card.fields())
    _raise(refusal_of_call(row, PgCall.ONETIME, given))
    if body.customer_uid is not None and not row.stores_key_on_onetime:
        detail = f"{row.provider} cannot store a billing key with a key-in payment"
        raise _problem(PgRefusal("pg_not_supported", row.provider, PgCall.ONETIME, detail), "customer_uid")
    _raise(refusal_of_amount(row, PgCall.ONETIME, amount, body.vat_amount))
    if body.merchant_uid is not None:
        _raise(refusal_of_number(row, PgCall.ONETIME, body.merchant_uid))


def _named(pg: str | None) -> PgCapability | None:
    provider = provider_of(pg)
    return capability(provider) if provider else None


def _raise(refusal: PgRefusal | None) -> None:
    if refusal is not None:
        raise _problem(refusal, _FIELDS.get(refusal.code) or _field_of(refusal.missing))


def _field_of(missing: str) -> str:
    of_customer = OF_CUSTOMER.get(missing)
    return f"customer.{of_customer}" if of_customer else f"card.{missing}"


def _problem(refusal: PgRefusal, field: str) -> Problem:
    missing = {"missing": refusal.missing} if refusal.missing else {}
    return Problem(
        422, refusal.code, refusal.detail, field=field, pg=refusal.provider, call=refusal.call.value, **missing
    )
