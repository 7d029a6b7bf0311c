"""What each PG tells of a card: how the number is masked, and which fields there are at all (facts.md 7.1).

Stars differ per PG (the schema says so and gives no table): each style here was read in public samples of PortOne's
answers, except Toss Payments', which its own API reference shows. A PG without a known style masks the seventh to
twelfth digit, as the schema's text has it.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from billing.emulator.store import Record

Mask = Callable[[str], str]


def _seventh_to_twelfth(digits: str) -> str:
    return f"{digits[:6]}{'*' * (len(digits) - 10)}{digits[-4:]}"


def _ninth_to_twelfth(digits: str) -> str:
    return f"{digits[:8]}{'*' * (len(digits) - 12)}{digits[-4:]}"


def _zeros(digits: str) -> str:
    return f"{digits[:6]}{'0' * (len(digits) - 10)}{digits[-4:]}"


def _all_but_the_last(digits: str) -> str:
    return f"{digits[:6]}{'*' * (len(digits) - 7)}{digits[-1:]}"


def _toss(digits: str) -> str:
    return f"{digits[:8]}****{digits[12:-1]}*"


_MASKS: Mapping[str, Mask] = MappingProxyType(
    {
        "nice": _ninth_to_twelfth,
        "nice_v2": _ninth_to_twelfth,
        "danal_tpay": _ninth_to_twelfth,
        "kcp": _zeros,
        "kcp_billing": _zeros,
        "html5_inicis": _all_but_the_last,
        "inicis": _all_but_the_last,
        "tosspayments": _toss,
    }
)

# The schema's list of those that tell issuer and publisher apart; PayPal RT is on it too, and tells nothing.
_TELL_THE_ISSUER = ("tosspayments", "ksnet", "smartro_v2", "nice_v2", "welcome", "tosspay_v2")

_WITHOUT_CARD: Mapping[str, str] = MappingProxyType(
    {"kakaopay": "point", "paypal_v2": "paypal", "danal": "phone", "mobilians": "phone", "settle_acc": "trans"}
)

_NO_TYPE = ("html5_inicis", "inicis")

CARD_FIELDS = (
    "card_number", "card_code", "card_name", "card_type",
    "card_issuer_code", "card_issuer_name", "card_publisher_code", "card_publisher_name",
)  # fmt: skip


def masked(provider: str, digits: str) -> str:
    """A card number as a PG shows it."""
    return _MASKS.get(provider, _seventh_to_twelfth)(digits)


def told_of_card(provider: str, number: str, code: str, name: str) -> Record:
    """The card fields of a key or a payment at a PG; all null where the buyer pays with something else."""
    if provider in _WITHOUT_CARD:
        return dict.fromkeys(CARD_FIELDS)
    issuer = provider in _TELL_THE_ISSUER
    return {
        "card_number": number,
        "card_code": code,
        "card_name": name,
        "card_type": None if provider in _NO_TYPE else 0,
        "card_issuer_code": code if issuer else None,
        "card_issuer_name": name if issuer else None,
        "card_publisher_code": code if issuer else None,
        "card_publisher_name": name if issuer else None,
    }


def pay_method(provider: str | None) -> str:
    """The pay_method of a charge at a PG: card, or what takes its place."""
    return _WITHOUT_CARD.get(provider or "", "card")
