"""What each PG can do on PortOne V1: a static table, checked before a call is made (facts.md section 4).

Where the guide and the schema disagree, the guide's list decides whether a way is offered, and the schema's list which
calls a key of that PG may be used in. What neither knows is not restricted here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PgCapability:
    """One PG module.

    `key_in`, `rest_key` and `window_key` are the guide's three ways.
    `reschedule` says whether a failed schedule can be booked again under its order number (facts.md 2.7).
    `required` names the fields a call must carry for this PG, by call.
    `minimum_amount` is the live minimum in won, 0 where none is documented (facts.md 4.5).
    """

    provider: str
    name: str
    key_in: bool = False
    rest_key: bool = False
    window_key: bool = False
    again: bool = True
    reschedule: bool = True
    vat_amount: bool = False
    currencies: tuple[str, ...] = ("KRW",)
    required: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stores_key_on_onetime: bool = True
    merchant_uid_reusable: bool = True
    alphanumeric_merchant_uid: bool = False
    charges_at_issue: str = "never"
    minimum_amount: int = 0


_BUYER = ("buyer_name", "buyer_email", "buyer_tel")
_ANY = ("KRW", "USD", "JPY", "EUR", "GBP", "CNY", "HKD", "TWD", "SGD", "THB", "VND", "AUD", "CAD")
_FOREIGN = tuple(currency for currency in _ANY if currency != "KRW")

_ROWS = (
    PgCapability(
        "html5_inicis",
        "KG Inicis",
        key_in=True,
        rest_key=True,
        window_key=True,
        vat_amount=True,
        required={"onetime": _BUYER, "window": ("buyer_tel",)},
        minimum_amount=100,
    ),
    PgCapability(
        "inicis",
        "KG Inicis (REST module)",
        key_in=True,
        rest_key=True,
        required={"onetime": _BUYER},
        minimum_amount=100,
    ),
    PgCapability("kcp", "NHN KCP", key_in=True, rest_key=True, minimum_amount=1000),
    PgCapability("kcp_billing", "NHN KCP (window)", window_key=True, minimum_amount=1000),
    PgCapability("nice", "NICE Payments, old module", key_in=True, rest_key=True, vat_amount=True, minimum_amount=100),
    PgCapability(
        "nice_v2",
        "NICE Payments, new module",
        key_in=True,
        rest_key=True,
        vat_amount=True,
        currencies=("KRW", "USD"),
        minimum_amount=100,
    ),
    PgCapability(
        "tosspayments",
        "Toss Payments, new module",
        key_in=True,
        rest_key=True,
        window_key=True,
        stores_key_on_onetime=False,
        minimum_amount=100,
    ),
    PgCapability("daou", "Kiwoompay", key_in=True, rest_key=True),
    PgCapability(
        "ksnet",
        "KSNET",
        key_in=True,
        rest_key=True,
        currencies=("KRW", "USD"),
        stores_key_on_onetime=False,
        required={
            "issue": ("birth", "pwd_2digit"),
            "onetime": ("buyer_name",),
            "again": ("buyer_name",),
        },
    ),
    PgCapability(
        "welcome",
        "Welcome Payments",
        key_in=True,
        rest_key=True,
        window_key=True,
        vat_amount=True,
        charges_at_issue="phone only",
        required={"issue": ("customer_name",), "onetime": ("buyer_name",), "again": ("buyer_name",)},
        minimum_amount=1000,
    ),
    PgCapability("settle", "Hecto Financial", key_in=True, rest_key=True),
    PgCapability(
        "settle_acc",
        "Hecto Financial, account",
        window_key=True,
        charges_at_issue="by amount",
        required={"window": ("buyer_tel",)},
    ),
    PgCapability(
        "danal_tpay",
        "Danal, card",
        window_key=True,
        charges_at_issue="by amount",
        required={"window": ("buyer_tel",)},
        minimum_amount=100,
    ),
    PgCapability(
        "danal",
        "Danal, phone",
        window_key=True,
        charges_at_issue="always",
        required={"window": ("buyer_tel",)},
        minimum_amount=301,
    ),
    PgCapability("kicc", "KICC EasyPay", window_key=True, required={"window": ("buyer_tel",)}, minimum_amount=100),
    PgCapability("mobilians", "KG Mobilians, phone", window_key=True, charges_at_issue="always", minimum_amount=301),
    PgCapability(
        "mobilians_v2",
        "KG Mobilians, new module",
        window_key=True,
        again=False,
        reschedule=False,
        charges_at_issue="by method and amount",
    ),
    PgCapability(
        "smartro_v2",
        "Smartro, new module",
        window_key=True,
        alphanumeric_merchant_uid=True,
        required={"again": _BUYER, "window": ("customer_id",)},
    ),
    PgCapability("kakaopay", "Kakao Pay", window_key=True, charges_at_issue="by amount", minimum_amount=100),
    PgCapability(
        "naverpay",
        "Naver Pay",
        window_key=True,
        merchant_uid_reusable=False,
        required={"window": ("buyer_tel",), "cancel": ("reason",), "delete": ("reason",)},
        minimum_amount=10,
    ),
    PgCapability("payco", "PAYCO", window_key=True, minimum_amount=100),
    PgCapability("smilepay", "SmilePay", window_key=True, again=False, reschedule=False, charges_at_issue="unknown"),
    PgCapability(
        "tosspay_v2",
        "Toss Pay, new module",
        window_key=True,
        reschedule=False,
        vat_amount=True,
        required={"window": ("customer_id",)},
    ),
    PgCapability(
        "paymentwall",
        "Paymentwall",
        window_key=True,
        currencies=_ANY,
        charges_at_issue="always",
        required={"again": ("buyer_email",), "window": ("buyer_email", "buyer_name")},
    ),
    PgCapability("paypal_v2", "PayPal RT", window_key=True, currencies=_FOREIGN),
)

PG_CAPABILITIES: Mapping[str, PgCapability] = {row.provider: row for row in _ROWS}


def provider_of(pg: str | None) -> str | None:
    """The provider of PortOne's `pg` parameter: "nice" of "nice.nictest04m"."""
    return pg.partition(".")[0] if pg else None


def capability(provider: str) -> PgCapability | None:
    """The row of a provider, or None when it is not in the table."""
    return PG_CAPABILITIES.get(provider)
