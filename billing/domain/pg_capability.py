"""What is said of one PG module; the rows are in `pg_capabilities`, what they cannot say in `pg_notes`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ChargesAtIssue(StrEnum):
    """Whether issuing a billing key takes money (facts.md 4.2)."""

    NEVER = "never"
    BY_AMOUNT = "by_amount"
    """0 issues only, more charges as well."""
    BY_METHOD = "by_method"
    """A card does not, a phone bill does."""
    ALWAYS = "always"
    UNKNOWN = "unknown"


class PhoneBilling(StrEnum):
    """Whether a key charges a phone bill: every month within five days of the last one, and the same amount.

    A month that is left out, another amount or other buyer data needs a key issued anew (facts.md 4.4).
    """

    NEVER = "never"
    BY_METHOD = "by_method"
    """Where a phone was chosen in the window, which is not told here."""
    ONLY = "only"


@dataclass(frozen=True, slots=True, kw_only=True)
class PgCapability:
    """One PG module. The defaults are what most modules have in common.

    Args:
        provider: PortOne's `pg_provider`.
        name: in English.
        name_ko: in Korean.
        source: the page the row is taken from, below the developer documentation's root where no site is named.
        module: `old` or `new`, where there are two.
        key_in: one-time payment by card number over REST (`onetime`).
        rest_key: billing key by card number over REST.
        window_key: billing key in the SDK window.
        again: charge a billing key now.
        schedule: charge a billing key later.
        reschedule: `PUT schedule`, `reschedule` and `retry` on a schedule; without them a retry is an `again`.
        vat_amount: whether it may be given; None where the sources do not say.
        currencies: the ones it takes.
        required: parameters beyond PortOne's own required ones, by call: `onetime`, `again`, `schedule`,
            `issue` (a key over REST), `window` (a key in the SDK window), `cancel`, `delete`, and `window_easypay`,
            `delete_easypay`, `window_payment`. What only mobile, a contract or a method requires is not in here.
        merchant_uid_reusable: whether an order number may be used again after a failure.
        merchant_uid_alphanumeric_only: whether it takes nothing but letters and digits (and cuts beyond 40).
        charges_at_issue: whether issuing a key takes money.
        minimum_amount: of one charge in won, as usually contracted; 0 where the sources do not say.
        stores_key_on_onetime: whether `onetime` with a customer_uid stores a billing key.
        partial_cancel: whether a part of a charge can be refunded; None where the sources do not say.
        phone_billing: whether the rules of phone bills hold.
        by_guide_only: PortOne's guide names it for billing, no list of the schema does: unverified.
    """

    provider: str
    name: str
    name_ko: str
    source: str
    module: str | None = None
    key_in: bool = False
    rest_key: bool = False
    window_key: bool = False
    again: bool = True
    schedule: bool = True
    reschedule: bool = True
    vat_amount: bool | None = False
    currencies: tuple[str, ...] = ("KRW",)
    required: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    merchant_uid_reusable: bool = True
    merchant_uid_alphanumeric_only: bool = False
    charges_at_issue: ChargesAtIssue = ChargesAtIssue.NEVER
    minimum_amount: int = 0
    stores_key_on_onetime: bool = False
    partial_cancel: bool | None = None
    phone_billing: PhoneBilling = PhoneBilling.NEVER
    by_guide_only: bool = False
