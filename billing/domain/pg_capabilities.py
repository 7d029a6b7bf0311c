"""What each PG module can do through PortOne V1: one row per module of `portone/pg-capabilities.json`.

Where PortOne's own pages disagree (facts.md 4.1), a row keeps what the PG's page says about key-in and billing keys,
and what the schema says about `again` and schedules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from billing.domain.money import MINOR_DIGITS


class ChargesAtIssue(StrEnum):
    """Whether issuing a billing key takes money (facts.md 4.2)."""

    NEVER = "never"
    BY_AMOUNT = "by_amount"
    """0 issues only, more charges as well."""
    BY_METHOD = "by_method"
    """A card does not, a phone bill does."""
    ALWAYS = "always"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class PgCapability:
    """One PG module. The defaults are what most modules have in common.

    Args:
        provider: PortOne's `pg_provider`.
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
    """

    provider: str
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


_ANY = tuple(sorted(MINOR_DIGITS))
_FOREIGN = tuple(currency for currency in _ANY if currency != "KRW")

_ROWS = (
    PgCapability(
        provider="html5_inicis",
        key_in=True,
        rest_key=True,
        window_key=True,
        vat_amount=True,
        required={
            "onetime": ("name", "buyer_name", "buyer_email", "buyer_tel"),
            "again": ("name",),
            "window": ("customer_uid", "buyer_tel", "pay_method"),
        },
        minimum_amount=100,
        stores_key_on_onetime=True,
        source="opi/ko/integration/pg/v1/inicis.mdx",
    ),
    PgCapability(
        provider="inicis",
        key_in=True,
        rest_key=True,
        vat_amount=None,
        required={"onetime": ("name", "buyer_name", "buyer_email", "buyer_tel"), "again": ("name",)},
        minimum_amount=100,
        stores_key_on_onetime=True,
        source="sdk/ko/v1-sdk/javascript-sdk/payrq.mdx",
    ),
    PgCapability(
        provider="kcp",
        key_in=True,
        rest_key=True,
        required={
            "onetime": ("merchant_uid", "amount", "card_number", "expiry"),
            "issue": ("card_number", "expiry"),
        },
        minimum_amount=1000,
        stores_key_on_onetime=True,
        source="opi/ko/integration/pg/v1/nhn-kcp/readme.mdx",
    ),
    PgCapability(
        provider="kcp_billing",
        window_key=True,
        required={"window": ("customer_uid", "pay_method")},
        minimum_amount=1000,
        source="opi/ko/integration/pg/v1/nhn-kcp/readme.mdx",
    ),
    PgCapability(
        provider="nice",
        module="old",
        key_in=True,
        rest_key=True,
        vat_amount=True,
        required={"onetime": ("card_number", "expiry")},
        minimum_amount=100,
        stores_key_on_onetime=True,
        source="opi/ko/integration/pg/v1/nice.mdx",
    ),
    PgCapability(
        provider="nice_v2",
        module="new",
        key_in=True,
        rest_key=True,
        vat_amount=True,
        currencies=("KRW", "USD"),
        required={
            "onetime": ("card_number", "expiry"),
            "window_easypay": ("customer_uid", "customer_id", "buyer_tel"),
            "delete_easypay": ("reason",),
        },
        minimum_amount=100,
        stores_key_on_onetime=True,
        source="opi/ko/integration/pg/v1/nice-v2/readme.mdx",
    ),
    PgCapability(
        provider="tosspayments",
        module="new",
        key_in=True,
        rest_key=True,
        window_key=True,
        required={"window": ("customer_uid", "customer_id", "pay_method")},
        minimum_amount=100,
        source="opi/ko/integration/pg/v1/newtoss/readme.mdx",
    ),
    PgCapability(
        provider="daou",
        key_in=True,
        rest_key=True,
        required={"onetime": ("card_number", "expiry")},
        stores_key_on_onetime=True,
        source="opi/ko/integration/pg/v1/daou/readme.mdx",
    ),
    PgCapability(
        provider="ksnet",
        key_in=True,
        rest_key=True,
        currencies=("KRW", "USD"),
        required={
            "onetime": ("buyer_name", "product_type"),
            "again": ("buyer_name", "product_type"),
            "issue": ("card_number", "expiry", "birth", "pwd_2digit"),
        },
        source="opi/ko/integration/pg/v1/ksnet/readme.mdx",
    ),
    PgCapability(
        provider="welcome",
        key_in=True,
        rest_key=True,
        window_key=True,
        vat_amount=True,
        required={
            "onetime": ("buyer_name",),
            "again": ("buyer_name",),
            "issue": ("customer_name",),
            "window": ("customer_uid", "buyer_name", "buyer_tel"),
        },
        charges_at_issue=ChargesAtIssue.BY_METHOD,
        minimum_amount=1000,
        stores_key_on_onetime=True,
        source="opi/ko/integration/pg/v1/welcome/readme.mdx",
    ),
    PgCapability(
        provider="settle",
        key_in=True,
        rest_key=True,
        required={"onetime": ("card_number", "expiry")},
        charges_at_issue=ChargesAtIssue.ALWAYS,
        stores_key_on_onetime=True,
        source="opi/ko/integration/pg/v1/settle/readme.mdx",
    ),
    PgCapability(
        provider="settle_acc",
        window_key=True,
        required={"window": ("customer_uid", "buyer_tel", "pay_method")},
        charges_at_issue=ChargesAtIssue.BY_AMOUNT,
        source="opi/ko/integration/pg/v1/settle/mybank.mdx",
    ),
    PgCapability(
        provider="danal_tpay",
        window_key=True,
        required={"window": ("customer_uid", "buyer_tel", "pay_method"), "again": ("name",)},
        charges_at_issue=ChargesAtIssue.BY_AMOUNT,
        minimum_amount=100,
        source="opi/ko/integration/pg/v1/danal.mdx",
    ),
    PgCapability(
        provider="danal",
        window_key=True,
        required={"window": ("customer_uid", "buyer_tel", "pay_method")},
        charges_at_issue=ChargesAtIssue.ALWAYS,
        minimum_amount=301,
        source="opi/ko/integration/pg/v1/danal.mdx",
    ),
    PgCapability(
        provider="kicc",
        module="old",
        window_key=True,
        required={"window": ("customer_uid", "buyer_tel", "pay_method", "pg")},
        minimum_amount=100,
        source="opi/ko/integration/pg/v1/kicc.mdx",
    ),
    PgCapability(
        provider="mobilians",
        module="old",
        window_key=True,
        required={"window": ("customer_uid", "pay_method", "pg")},
        charges_at_issue=ChargesAtIssue.ALWAYS,
        minimum_amount=301,
        source="opi/ko/integration/pg/v1/kg.mdx",
    ),
    PgCapability(
        provider="mobilians_v2",
        module="new",
        window_key=True,
        again=False,
        schedule=False,
        reschedule=False,
        required={"window": ("customer_uid",)},
        charges_at_issue=ChargesAtIssue.BY_METHOD,
        source="opi/ko/integration/pg/v1/kg-mobilians-v2.mdx",
    ),
    PgCapability(
        provider="smartro_v2",
        module="new",
        window_key=True,
        required={
            "window": ("customer_uid", "customer_id", "pay_method"),
            "again": ("buyer_name", "buyer_email", "buyer_tel"),
            "schedule": ("buyer_name", "buyer_email", "buyer_tel"),
        },
        merchant_uid_alphanumeric_only=True,
        source="opi/ko/integration/pg/v1/smartro-v2/readme.mdx",
    ),
    PgCapability(
        provider="kakaopay",
        window_key=True,
        required={"window": ("customer_uid",)},
        charges_at_issue=ChargesAtIssue.BY_AMOUNT,
        minimum_amount=100,
        source="opi/ko/integration/pg/v1/kakaopay.mdx",
    ),
    PgCapability(
        provider="naverpay",
        window_key=True,
        required={
            "window": ("customer_uid", "buyer_tel", "naverProductCode", "naverProductCount"),
            "cancel": ("reason", "extra.requester"),
            "delete": ("reason", "extra[requester]"),
        },
        merchant_uid_reusable=False,
        minimum_amount=10,
        source="opi/ko/integration/pg/v1/naver.mdx",
    ),
    PgCapability(
        provider="payco",
        window_key=True,
        required={"window": ("customer_uid",), "window_payment": ("buyer_tel",)},
        minimum_amount=100,
        source="opi/ko/integration/pg/v1/payco.mdx",
    ),
    PgCapability(
        provider="smilepay",
        window_key=True,
        again=False,
        schedule=False,
        reschedule=False,
        vat_amount=None,
        charges_at_issue=ChargesAtIssue.UNKNOWN,
        source="opi/ko/integration/pg/v1/smilepay.mdx",
    ),
    PgCapability(
        provider="tosspay_v2",
        module="new",
        window_key=True,
        reschedule=False,
        vat_amount=True,
        required={"window": ("customer_uid", "customer_id", "pay_method")},
        source="opi/ko/integration/pg/v1/tosspay-v2/readme.mdx",
    ),
    PgCapability(
        provider="paymentwall",
        window_key=True,
        currencies=_ANY,
        required={
            "window": ("customer_uid", "currency", "buyer_email", "buyer_name", "pay_method", "amount"),
            "again": ("buyer_email", "browser_ip"),
            "onetime": ("cvc", "browser_ip"),
        },
        charges_at_issue=ChargesAtIssue.ALWAYS,
        source="opi/ko/integration/pg/v1/paymentwall.mdx",
    ),
    PgCapability(
        provider="paypal_v2",
        module="new",
        window_key=True,
        currencies=_FOREIGN,
        required={"window": ("customer_uid", "pay_method"), "again": ("currency",), "schedule": ("currency",)},
        source="opi/ko/integration/pg/v1/rt/readme.mdx",
    ),
)

PG_CAPABILITIES: Mapping[str, PgCapability] = MappingProxyType({row.provider: row for row in _ROWS})
"""Every known module by its `pg_provider`."""


def provider_of(pg: str | None) -> str | None:
    """The `pg_provider` inside PortOne's `pg` value: "nice" of "nice.nictest04m"; None when there is none."""
    return (pg or "").partition(".")[0] or None


def capability(provider: str) -> PgCapability | None:
    """The row of a provider, None for one that this table does not know: it is not refused for that."""
    return PG_CAPABILITIES.get(provider)


def least_charge(provider: str | None, currency: str) -> int:
    """The least that a PG takes at once, in minor units; 0 where the PG, or what it takes, is not known."""
    known = capability(provider) if provider else None
    return known.minimum_amount if known is not None and currency == "KRW" else 0
