"""What each PG's window does: whether issuing a key charges, how the page hears of it, what it needs (facts.md 4.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from billing.emulator.masking import pay_method as method_of

Charges = Literal["never", "always", "by_amount"]
Returns = Literal["by_device", "callback", "redirect_unless_popup"]
Form = Literal["card", "wallet", "phone", "trans", "vbank"]


@dataclass(frozen=True, slots=True)
class WindowRule:
    """One PG's window.

    `charges` is about keys: an ordinary payment always charges. `needs` are the parameters that its page calls
    required, `longest_customer_id` also makes customer_id one of them. A `limited` PG tells the current SDK ids and
    error fields alone (facts.md 5.3).
    """

    charges: Charges = "never"
    returns: Returns = "by_device"
    needs: tuple[str, ...] = ()
    longest_customer_id: int | None = None
    redirect_needed_on_mobile: bool = False
    limited: bool = False
    form: Form | None = None


_RULES: Mapping[str, WindowRule] = MappingProxyType(
    {
        "html5_inicis": WindowRule(needs=("buyer_tel",)),
        "tosspayments": WindowRule(limited=True),
        "danal_tpay": WindowRule("by_amount", "callback", needs=("buyer_tel",)),
        "danal": WindowRule("always", "callback", form="phone"),
        "kicc": WindowRule(needs=("buyer_tel",)),
        "mobilians": WindowRule("always", form="phone"),
        "welcome": WindowRule(needs=("buyer_name", "buyer_tel"), limited=True, redirect_needed_on_mobile=True),
        "smartro_v2": WindowRule(longest_customer_id=20, redirect_needed_on_mobile=True, limited=True),
        "settle_acc": WindowRule("by_amount", needs=("buyer_tel",), form="trans"),
        "kakaopay": WindowRule("by_amount", form="wallet"),
        "naverpay": WindowRule(returns="redirect_unless_popup", needs=("buyer_tel", "naverProductCode"), form="wallet"),
        "naverco": WindowRule(returns="callback", form="wallet"),
        "payco": WindowRule(returns="callback", form="wallet"),
        "smilepay": WindowRule(form="wallet"),
        "tosspay_v2": WindowRule(longest_customer_id=50, redirect_needed_on_mobile=True, form="wallet"),
        "paymentwall": WindowRule("always", "callback", needs=("currency", "buyer_email", "buyer_name")),
        "paypal_v2": WindowRule(returns="callback", limited=True, form="wallet"),
        "nice_v2": WindowRule(needs=("customer_id", "buyer_tel"), limited=True),
        "ksnet": WindowRule(limited=True),
    }
)

_FORMS: Mapping[str, Form] = MappingProxyType({"card": "card", "phone": "phone", "trans": "trans", "vbank": "vbank"})


def rule_of(provider: str) -> WindowRule:
    """The rule of a PG; one without a row issues keys without a charge and answers by device."""
    return _RULES.get(provider, WindowRule())


def charges_at_issue(provider: str, pay_method: str, amount: float) -> bool:
    """Whether the window that issues a key also charges: never, always, or when the amount is not 0."""
    rule = rule_of(provider)
    # Welcome issues keys of a card without a charge, of a phone with the first one.
    charges = "always" if provider == "welcome" and pay_method == "phone" else rule.charges
    return charges == "always" or (charges == "by_amount" and amount > 0)


def form_of(provider: str, pay_method: str) -> Form:
    """What the window asks the buyer for: a card, or only a yes to what stands in their account."""
    return rule_of(provider).form or _FORMS.get(pay_method, "wallet")


def told_method(provider: str, asked: str) -> str:
    """The `pay_method` of the payment: the PG's where it has but one, else the one that was asked for."""
    only = method_of(provider)
    return asked if only == "card" else only


def returns_to_callback(provider: str, param: Mapping[str, Any], *, mobile: bool, can_redirect: bool) -> bool:
    """Whether the page's callback hears of it, and not its `m_redirect_url` (facts.md 5.2)."""
    match rule_of(provider).returns:
        case "callback":
            return True
        case "redirect_unless_popup":
            return bool(param.get("naverPopupMode")) or not can_redirect
        case _:
            return not (mobile and can_redirect)
