"""What a page asks of `IMP.request_pay`, checked as the SDK does before it opens a window (facts.md 2.9, 5.2)."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from billing.emulator.channels import CHANNELS, channel_of
from billing.emulator.envelope import Refusal
from billing.emulator.form import number, require
from billing.emulator.naver_products import NAME, ORDER_TYPE, read_products
from billing.emulator.orders import MERCHANT_UID_LENGTH
from billing.emulator.receipts import as_text, make_payment
from billing.emulator.store import Record
from billing.emulator.window_rules import (
    charges_at_issue,
    form_of,
    returns_to_callback,
    rule_of,
    told_method,
)
from billing.emulator.world import World

PAID_ALREADY = "이미 결제가 이루어진 merchant_uid입니다."
CUSTOMER_UID_LENGTH = 80
_PAYPAL_BUTTONS = ("paypal-rt", "paypal-spb")
_UNSAFE_SCHEMES = ("javascript", "data", "vbscript", "blob")
_BUYER = ("buyer_name", "buyer_email", "buyer_tel", "buyer_addr", "buyer_postcode")


class WindowRequest(BaseModel):
    """What the script sends: the page's parameter untouched, and where the page stands.

    `ui` is the button that was pressed, for `IMP.loadUI`; `classic` is the script of the first generation, which is
    less strict about types.
    """

    model_config = ConfigDict(extra="ignore")

    user_code: str | None = None
    param: dict[str, Any] = Field(default_factory=dict)
    ui: str | None = None
    mobile: bool = False
    classic: bool = False
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Channel:
    """The PG a window belongs to, and how the page wants to hear of it."""

    provider: str
    pg_id: str
    limited: bool


def channel_of_window(world: World, asked: WindowRequest) -> Channel:
    """The PG of a request; one that the emulator does not know is what the switch `window_pg` says."""
    param = asked.param
    named = {"channel_key": param.get("channelKey") or param.get("channel_key"), "pg": param.get("pg")}
    provider, pg_id = channel_of(named)
    if asked.ui in _PAYPAL_BUTTONS:
        provider, pg_id = channel_of({"pg": "paypal_v2"})
    elif provider == CHANNELS[0][0] and not _names(named, provider):
        provider, pg_id = channel_of({"pg": world.settings.window_pg})
    if str(param.get("pg") or "").partition(".")[0] == ORDER_TYPE:
        provider, pg_id = ORDER_TYPE, str(param["pg"]).partition(".")[2] or ORDER_TYPE
    shape = world.settings.window_result
    limited = shape == "limited" or (shape == "by_pg" and rule_of(provider).limited and not asked.classic)
    return Channel(provider, pg_id, limited)


def _names(named: Record, provider: str) -> bool:
    return any(provider in re.split(r"[.]|channel-key-", str(value or "")) for value in named.values())


def open_window(world: World, asked: WindowRequest, user_agent: str | None) -> Record:
    """A window that waits for its buyer, and the payment behind it, which is `ready`.

    Raises:
        Refusal: what the SDK refuses before any window opens; there is no payment then.
    """
    param, channel = asked.param, channel_of_window(world, asked)
    order = _order(world, asked, channel.provider)
    redirect_url = str(param.get("m_redirect_url") or "")
    if redirect_url and urlsplit(redirect_url).scheme.lower() in _UNSAFE_SCHEMES:
        raise Refusal("m_redirect_url 파라메터가 올바르지 않습니다.")
    if world.settings.window_requirements == "refuse":
        _check_requirements(channel.provider, order, param, mobile=asked.mobile)
    products = _products(world, order, param) if channel.provider == ORDER_TYPE else []
    customer_uid = order["customer_uid"]
    payment = make_payment(
        {**order, "user_agent": user_agent}, {"last_four": "", "pg_provider": channel.provider, "pg_id": channel.pg_id},
        int(world.clock.now(customer_uid)), imp_uid=world.imp_uid("imp_"),
        usage="issue" if customer_uid else None, refusal=None, sandbox=world.settings.sandbox,
    )  # fmt: skip
    waiting = {"status": "ready", "paid_at": 0, "apply_num": None, "pg_tid": None, "receipt_url": None}
    world.keep_payment(payment | waiting)
    callback = returns_to_callback(channel.provider, param, mobile=asked.mobile, can_redirect=bool(redirect_url))
    window = {
        "imp_uid": payment["imp_uid"],
        "order": {**order, "user_agent": user_agent},
        "provider": channel.provider,
        "pg_id": channel.pg_id,
        "limited": channel.limited,
        "form": form_of(channel.provider, order["asked_method"]),
        "charges": not customer_uid or charges_at_issue(channel.provider, order["asked_method"], order["amount"]),
        "redirect_url": None if callback else redirect_url,
        "origin": asked.origin,
        "customer_id": as_text(param.get("customer_id")),
        "custom_data": param.get("custom_data"),
        "confirm_url": _confirm_url(world, channel, param),
        "period": param.get("period") if isinstance(param.get("period"), dict) else None,
        "language": str(param.get("language") or ""),
        "lost": False,
        "products": products,
    }
    return world.store.put("windows", payment["imp_uid"], window)


def _order(world: World, asked: WindowRequest, provider: str) -> Record:
    param = asked.param
    if not asked.user_code:
        raise Refusal("가맹점 식별코드가 없습니다. IMP.init()을 먼저 호출해주세요.")
    customer_uid = param.get("customer_uid")
    method = str(param.get("pay_method") or "card")
    free = bool(customer_uid) and rule_of(provider).charges == "never"
    require(param, "merchant_uid", *([] if free else ["amount"]))
    merchant_uid, amount = param["merchant_uid"], param.get("amount") or 0
    # Since 2024-03-15 a window opens for a number and a string alone (facts.md 2.9); the first script takes both.
    if not asked.classic and (not isinstance(merchant_uid, str) or isinstance(amount, str | bool)):
        raise Refusal("merchant_uid는 문자열, amount는 숫자여야 합니다.")
    amount, merchant_uid = number(amount, "amount"), str(merchant_uid)
    if not 1 <= len(merchant_uid) <= MERCHANT_UID_LENGTH:
        raise Refusal("merchant_uid는 40자 이내여야 합니다.")
    if customer_uid and len(str(customer_uid)) > CUSTOMER_UID_LENGTH:
        raise Refusal("customer_uid는 80자 이내여야 합니다.")
    charges = not customer_uid or charges_at_issue(provider, method, amount)
    always = rule_of(provider).charges == "always" or (provider == "welcome" and method == "phone")
    if amount < 0 or ((charges or always) and amount == 0):
        raise Refusal("결제금액이 올바르지 않습니다.")
    if world.is_paid(merchant_uid):
        raise Refusal(PAID_ALREADY)
    currency = str(param.get("currency") or ("USD" if provider == "paypal_v2" else "KRW")).upper()
    _check_prepared(world, merchant_uid, amount, currency)
    urls = param.get("notice_url")
    return {
        **{name: as_text(param.get(name)) for name in ("name", *_BUYER)},
        "merchant_uid": merchant_uid,
        "customer_uid": str(customer_uid) if customer_uid else None,
        "amount": amount,
        "currency": currency,
        "card_quota": 0,
        "custom_data": as_text(param.get("custom_data")),
        "notice_url": [str(url) for url in urls] if isinstance(urls, list) else as_text(urls),
        "tax_free": number(param.get("tax_free") or 0, "tax_free"),
        "vat_amount": None if param.get("vat_amount") is None else number(param["vat_amount"], "vat_amount"),
        "escrow": str(param.get("escrow")).lower() == "true",
        "channel": "mobile" if asked.mobile else "pc",
        "asked_method": method,
        "pay_method": told_method(provider, method),
    }


def _products(world: World, order: Record, param: Record) -> list[Record]:
    """What is bought by Naver Pay's order type, which issues no keys."""
    if order["customer_uid"]:
        raise Refusal("네이버페이 주문형은 빌링키 발급을 지원하지 않습니다.")
    if world.settings.window_requirements == "ignore" and not param.get(NAME):
        return []
    return read_products(param.get(NAME))


def _confirm_url(world: World, channel: Channel, param: Record) -> str | None:
    asked = world.settings.confirm_url and channel.provider != ORDER_TYPE
    return as_text(param.get("confirm_url")) if asked else None


def _check_prepared(world: World, merchant_uid: str, amount: float, currency: str) -> None:
    prepared = world.store["prepared"].get(merchant_uid)
    if prepared and (prepared["amount"] != amount or (prepared["currency"] or currency).upper() != currency):
        raise Refusal("결제금액이 사전에 등록된 금액과 일치하지 않습니다.")


def _check_requirements(provider: str, order: Record, param: Record, *, mobile: bool) -> None:
    """What a PG's page calls required, of the windows that issue keys.

    Raises:
        Refusal: something is missing, or customer_id is too long.
    """
    rule = rule_of(provider)
    if not order["customer_uid"]:
        return
    needs = [*rule.needs, *(["customer_id"] if rule.longest_customer_id else [])]
    if mobile and rule.redirect_needed_on_mobile:
        needs.append("m_redirect_url")
    require({name: param.get(name) or None for name in needs}, *needs)
    if rule.longest_customer_id and len(str(param["customer_id"])) > rule.longest_customer_id:
        raise Refusal(f"customer_id는 {rule.longest_customer_id}자 이내여야 합니다.")
