"""What each PG takes and refuses, in the emulator's own table (facts.md 4), written apart from the client's on purpose.

What no source says is allowed. The words of refusals are PortOne's where they are known, and plain ones elsewhere.
`pg_rules=off` lets everything through, as an account would whose PGs had no rules.
"""

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any, Literal

from billing.emulator.envelope import Refusal
from billing.emulator.form import require
from billing.emulator.store import Record
from billing.emulator.world import World

NO_CHANNEL = "비인증결제모듈 사용정보를 찾을 수 없습니다."
"""What PortOne says when an account has no channel that could do it (facts.md 1.6)."""

NUMBER_USED = "이미 사용된 merchant_uid입니다."
MONTHLY = "휴대폰 정기결제는 직전 결제일로부터 한 달 뒤의 전후 5일 이내에만 가능합니다."
SAME_AMOUNT = "휴대폰 정기결제는 매월 같은 금액으로만 가능합니다."
WHOLE_ONLY = "부분취소가 지원되지 않는 결제건입니다."

ANY_DAYS = timedelta(days=5)
SEOUL = timezone(timedelta(hours=9))

Way = Literal["key_in", "rest_key", "again", "schedule"]
ALL_WAYS = frozenset({"key_in", "rest_key", "again", "schedule", "moves"})
WINDOW_ONLY = frozenset({"again", "schedule", "moves"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PgRow:
    """One PG: what it offers (`moves` is PUT schedule, reschedule and retry), and what it wants.

    `takes` None is any currency. `needs` names parameters by call. `charges` is whether its window takes money:
    `amount` when one is given, `always` needs one. `keeps` is whether onetime may store a key.
    """

    offers: frozenset[str]
    takes: frozenset[str] | None = frozenset({"KRW"})
    never: frozenset[str] = frozenset()
    least: int = 0
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    charges: Literal["no", "amount", "always"] = "no"
    keeps: bool = False
    number_once: bool = False
    alphanumeric: bool = False
    phone: bool = False
    whole_refunds: bool = False
    same_email: bool = False


_BUYER = ("buyer_name", "buyer_email", "buyer_tel")

PGS: Mapping[str, PgRow] = MappingProxyType(
    {
        "html5_inicis": PgRow(
            offers=ALL_WAYS, least=100, keeps=True, needs={"onetime": ("name", *_BUYER), "again": ("name",)}
        ),
        "inicis": PgRow(
            offers=ALL_WAYS, least=100, keeps=True, needs={"onetime": ("name", *_BUYER), "again": ("name",)}
        ),
        "kcp": PgRow(offers=ALL_WAYS, least=1000, keeps=True),
        "kcp_billing": PgRow(offers=WINDOW_ONLY, least=1000),
        "nice": PgRow(offers=ALL_WAYS, least=100, keeps=True),
        "nice_v2": PgRow(offers=ALL_WAYS, takes=frozenset({"KRW", "USD"}), least=100, keeps=True),
        "tosspayments": PgRow(offers=ALL_WAYS, least=100),
        "daou": PgRow(offers=ALL_WAYS, keeps=True),
        "ksnet": PgRow(
            offers=ALL_WAYS,
            takes=frozenset({"KRW", "USD"}),
            needs={
                "onetime": ("buyer_name", "product_type"),
                "again": ("buyer_name", "product_type"),
                "issue": ("birth", "pwd_2digit"),
            },
        ),
        "welcome": PgRow(
            offers=ALL_WAYS,
            least=1000,
            keeps=True,
            needs={"onetime": ("buyer_name",), "again": ("buyer_name",), "issue": ("customer_name",)},
        ),
        "settle": PgRow(offers=ALL_WAYS, keeps=True),
        "settle_acc": PgRow(offers=WINDOW_ONLY, charges="amount"),
        "danal_tpay": PgRow(offers=WINDOW_ONLY, least=100, charges="amount", needs={"again": ("name",)}),
        "danal": PgRow(offers=WINDOW_ONLY, least=301, charges="always", phone=True, whole_refunds=True),
        "kicc": PgRow(offers=WINDOW_ONLY, least=100),
        "mobilians": PgRow(offers=WINDOW_ONLY, least=301, charges="always", phone=True, whole_refunds=True),
        "mobilians_v2": PgRow(offers=frozenset(), charges="amount"),
        "smartro_v2": PgRow(offers=WINDOW_ONLY, alphanumeric=True, needs={"again": _BUYER, "schedule": _BUYER}),
        "kakaopay": PgRow(offers=WINDOW_ONLY, least=100, charges="amount"),
        "naverpay": PgRow(
            offers=WINDOW_ONLY,
            least=10,
            number_once=True,
            needs={"cancel": ("reason", "extra.requester"), "delete": ("reason", "extra[requester]")},
        ),
        "payco": PgRow(offers=WINDOW_ONLY, least=100),
        "smilepay": PgRow(offers=frozenset({"again", "schedule"})),
        "tosspay_v2": PgRow(offers=frozenset({"again", "schedule"})),
        "paymentwall": PgRow(
            offers=WINDOW_ONLY, takes=None, charges="always", same_email=True, needs={"again": ("buyer_email",)}
        ),
        "paypal_v2": PgRow(
            offers=WINDOW_ONLY,
            takes=None,
            never=frozenset({"KRW"}),
            needs={"again": ("currency",), "schedule": ("currency",)},
        ),
    }
)
"""Every PG by its `pg_provider`."""


def row_of(world: World, provider: str | None) -> PgRow | None:
    """The rules of a PG; None where there are none, or they are turned off."""
    return PGS.get(provider or "") if world.settings.pg_rules == "enforce" else None


def require_offer(world: World, provider: str | None, way: Way) -> None:
    """Make sure that a PG can do it.

    Raises:
        Refusal: code 1, as an account without such a channel is told.
    """
    row = row_of(world, provider)
    if row is not None and way not in row.offers:
        raise Refusal(NO_CHANNEL)


def require_fields(world: World, provider: str | None, call: str, body: dict[str, Any]) -> None:
    """Make sure that a call has what the PG wants beside PortOne's own; an empty text is missing.

    Raises:
        Refusal: code 1, naming what is missing.
    """
    row = row_of(world, provider)
    if row is not None:
        flat = {**body, **dict(_nested("extra", body.get("extra")))}
        require({name: value for name, value in flat.items() if value != ""}, *row.needs.get(call, ()))


def require_order(world: World, provider: str | None, order: Record) -> None:
    """Make sure that a PG takes the order number, the currency and the amount.

    Raises:
        Refusal: code 1.
    """
    row = row_of(world, provider)
    if row is None:
        return
    merchant_uid, currency = order["merchant_uid"], order["currency"]
    if row.alphanumeric and not (merchant_uid.isascii() and merchant_uid.isalnum()):
        raise Refusal("merchant_uid는 영문과 숫자만 사용할 수 있습니다.")
    if currency in row.never or (row.takes is not None and currency not in row.takes):
        raise Refusal(f"지원되지 않는 통화입니다({currency}).")
    if currency == "KRW" and order["amount"] < row.least:
        raise Refusal(f"최소 결제금액은 {row.least}원입니다.")
    if row.number_once and world.payments_of(merchant_uid):
        raise Refusal(NUMBER_USED)


def require_key_in(world: World, provider: str, body: dict[str, Any], order: Record) -> None:
    """Make sure that a PG takes this payment by card number, and keeps its key where one is named.

    Raises:
        Refusal: code 1.
    """
    require_offer(world, provider, "key_in")
    require_fields(world, provider, "onetime", body)
    require_order(world, provider, order)
    row = row_of(world, provider)
    if row is not None and order["customer_uid"] and not row.keeps:
        raise Refusal("빌링키 발급을 지원하지 않는 PG사입니다.")


def require_whole(world: World, payment: Record, amount: float | None, left: float) -> None:
    """Make sure that a refund is of a kind that the PG makes.

    Raises:
        Refusal: code 1, for a part where only all can go back.
    """
    row = row_of(world, payment["pg_provider"])
    if row is not None and row.whole_refunds and amount is not None and 0 < amount < left:
        raise Refusal(WHOLE_ONLY)


def moves(world: World, provider: str | None) -> bool:
    """Whether PUT schedule, reschedule and retry exist for a PG."""
    row = row_of(world, provider)
    return row is None or "moves" in row.offers


def refused_by_pg(world: World, order: Record, key: Record, at: float) -> str | None:
    """Why the PG itself declines a charge of this key at this instant; None when it has no such rule."""
    row = row_of(world, key.get("pg_provider"))
    if row is None:
        return None
    if row.number_once and world.payments_of(order["merchant_uid"]):
        return NUMBER_USED
    email = key.get("customer_email")
    if row.same_email and email and order.get("buyer_email") not in (None, email):
        return "buyer_email이 빌링키 발급 시의 값과 다릅니다."
    paid = [one for one in world.payments_by(order.get("customer_uid") or "") if one["paid_at"]]
    return _phone_rule(order, paid[-1], at) if row.phone and paid else None


def _phone_rule(order: Record, last: Record, at: float) -> str | None:
    if order["amount"] != last["amount"]:
        return SAME_AMOUNT
    expected = _a_month_after(datetime.fromtimestamp(last["paid_at"], UTC).astimezone(SEOUL))
    day = datetime.fromtimestamp(at, UTC).astimezone(SEOUL)
    return None if abs((day.date() - expected.date()).days) <= ANY_DAYS.days else MONTHLY


def _a_month_after(day: datetime) -> datetime:
    year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)  # noqa: PLR2004
    return day.replace(year=year, month=month, day=min(day.day, calendar.monthrange(year, month)[1]))


def _nested(name: str, value: Any) -> Iterable[tuple[str, Any]]:
    inner = value if isinstance(value, dict) else {}
    return [(f"{name}.{key}", one) for key, one in inner.items()]
