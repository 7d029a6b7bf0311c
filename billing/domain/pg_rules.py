"""What a PG refuses, known before it is asked: one sentence that names the PG, the call and what is missing.

The rules are the rows of `pg_capabilities`. What a row leaves open is allowed.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from billing.domain.bills import Holding
from billing.domain.calendar import Interval, IntervalUnit
from billing.domain.coupons import Coupon, CouponDuration
from billing.domain.money import Money
from billing.domain.pg_capability import PgCapability, PhoneBilling
from billing.domain.plans import PlanTerms
from billing.domain.records import Customer

MONTHLY = Interval(IntervalUnit.MONTH, 1)
PHONE_TRIAL_DAYS = 36
"""The window charges the first month; the next charge comes a month later, or up to five days after that."""


class PgCall(StrEnum):
    """Calls that PGs have rules about, by the names that the table's `required` uses."""

    ONETIME = "onetime"
    ISSUE = "issue"
    AGAIN = "again"
    SCHEDULE = "schedule"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class PgRefusal:
    """Why a PG would refuse: `missing` is the parameter by PortOne's name, "" where none is missing."""

    code: str
    provider: str
    call: PgCall
    detail: str
    missing: str = ""


_OFFERS = {
    PgCall.ISSUE: "issuing a billing key by card number (use its payment window)",
    PgCall.ONETIME: "key-in payments",
    PgCall.AGAIN: "billing-key charges by REST",
    PgCall.SCHEDULE: "scheduled charges by REST",
}

OF_CUSTOMER = {
    "buyer_name": "name",
    "buyer_email": "email",
    "buyer_tel": "tel",
    "customer_name": "name",
    "customer_tel": "tel",
    "customer_email": "email",
}
"""Which field of the customer is sent as what."""

ALWAYS_SENT = frozenset(
    # The last two are sent as the settings say, or filled in by PortOne (facts.md 2.4).
    {"merchant_uid", "amount", "name", "currency", "card_number", "expiry", "product_type", "browser_ip"}
)


def given_by(customer: Customer, card_fields: Collection[str] = ()) -> frozenset[str]:
    """The parameters that a call carries, by PortOne's names."""
    of_customer = {name for name, field in OF_CUSTOMER.items() if getattr(customer, field)}
    return ALWAYS_SENT | of_customer | frozenset(card_fields)


def refusal_of_call(row: PgCapability, call: PgCall, given: Collection[str]) -> PgRefusal | None:
    """Why the PG does not take a call that carries `given`; None when nothing is known against it."""
    offered = {
        PgCall.ISSUE: row.rest_key,
        PgCall.ONETIME: row.key_in,
        PgCall.AGAIN: row.again,
        PgCall.SCHEDULE: row.schedule,
    }
    if not offered.get(call, True):
        return PgRefusal("pg_not_supported", row.provider, call, f"{row.provider} does not support {_OFFERS[call]}")
    missing = next((name for name in row.required.get(call, ()) if name not in given), None)
    if missing is None:
        return None
    return PgRefusal("pg_requires_field", row.provider, call, f"{row.provider} requires {missing} for {call}", missing)


def refusal_of_amount(row: PgCapability, call: PgCall, amount: Money, vat_amount: int | None) -> PgRefusal | None:
    """Why the PG does not take that money: its currency, its least amount, a VAT that it cannot be told."""
    if amount.currency not in row.currencies:
        detail = f"{row.provider} does not take {amount.currency} for {call}"
        return PgRefusal("pg_currency", row.provider, call, detail)
    if amount.currency == "KRW" and amount.amount < row.minimum_amount:
        detail = f"{row.provider} takes at least {row.minimum_amount} KRW for {call}"
        return PgRefusal("pg_minimum_amount", row.provider, call, detail)
    if vat_amount is not None and row.vat_amount is False:
        detail = f"{row.provider} takes no vat_amount for {call}: without one the PG splits the amount"
        return PgRefusal("pg_vat_amount", row.provider, call, detail)
    return None


def refusal_of_number(row: PgCapability, call: PgCall, merchant_uid: str) -> PgRefusal | None:
    """Why the PG does not take that order number."""
    if row.merchant_uid_alphanumeric_only and not (merchant_uid.isascii() and merchant_uid.isalnum()):
        detail = f"{row.provider} takes a merchant_uid of letters and digits only for {call}"
        return PgRefusal("pg_merchant_uid", row.provider, call, detail)
    return None


def refusal_of_plan(
    row: PgCapability,
    terms: PlanTerms,
    coupon: Coupon | None = None,
    *,
    trial_days: int = 0,
    short_first: bool = False,
) -> PgRefusal | None:
    """Why the PG cannot bill that plan: a phone bill takes the same amount every month, and no other rhythm.

    `trial_days` until the first charge, where they are not the plan's; `short_first` where that is for a part of a
    period, up to a chosen billing day.
    """
    if row.phone_billing is not PhoneBilling.ONLY:
        return None
    broken = None
    if terms.interval != MONTHLY:
        broken = "every month, no other interval"
    elif max(terms.trial_days, trial_days) > PHONE_TRIAL_DAYS:
        broken = f"every month: no trial of more than {PHONE_TRIAL_DAYS} days"
    elif terms.price.amount == 0:
        broken = "the same amount every month, not nothing"
    elif coupon is not None and coupon.duration is not CouponDuration.FOREVER:
        broken = "the same amount every month: no coupon that ends"
    elif short_first:
        broken = "the same amount every month: no first period of some days, up to a billing day"
    return _phone(row, broken) if broken else None


def refusal_of_holding(row: PgCapability, holding: Holding, customer: Customer) -> PgRefusal | None:
    """Why a PG could not bill that, charge by charge; a free period asks nothing of it."""
    for call in (PgCall.AGAIN, PgCall.SCHEDULE):
        refusal = refusal_of_call(row, call, given_by(customer))
        if refusal is None and holding.value().amount:
            refusal = refusal_of_amount(row, call, holding.value(), holding.terms.vat_amount)
        if refusal is not None:
            return refusal
    return refusal_of_plan(row, holding.terms, holding.coupon)


def refusal_of_change(row: PgCapability, before: Money, after: Money) -> PgRefusal | None:
    """Why the PG cannot charge another amount from now on."""
    if row.phone_billing is PhoneBilling.ONLY and before != after:
        return _phone(row, f"the same amount every month, {before}; another one needs a key issued anew")
    return None


def refusal_of_part(row: PgCapability, amount: Money, remaining: int) -> PgRefusal | None:
    """Why the PG cannot refund that part of a charge of which `remaining` minor units are left."""
    if row.partial_cancel is False and amount.amount < remaining:
        detail = f"{row.provider} refunds a charge as a whole only: no partial cancel"
        return PgRefusal("pg_partial_cancel", row.provider, PgCall.CANCEL, detail)
    return None


def _phone(row: PgCapability, rule: str) -> PgRefusal:
    detail = f"{row.provider} charges a phone bill by {PgCall.AGAIN}: {rule}"
    return PgRefusal("pg_phone_billing", row.provider, PgCall.AGAIN, detail)
