"""Product orders of a payment by Naver Pay's order type: found, moved by either side, and reviewed.

A payment that is paid, at once or late, has them. Until something happens to one it is what window and payment say, and
nothing of it is kept; its number is the payment's twelve digits and four for its place in `naverProducts`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from billing.emulator.console import Desk
from billing.emulator.envelope import REFUSED, EnvelopeResponse, Refusal, bad_request, done, not_found
from billing.emulator.form import instant, require, strings
from billing.emulator.naver_products import ORDER_TYPE, line_of
from billing.emulator.parameters import REASONS
from billing.emulator.product_order_steps import MERCHANT_STEPS, OUTSIDE_STEPS, Step, step_of
from billing.emulator.store import Record
from billing.emulator.world import World

UNKNOWN = "네이버페이 상품주문을 찾을 수 없습니다."
SHIPPING_SECONDS = 3 * 24 * 3600
IMP_UID_DIGITS = 12
BUYER = {"name": "홍길동", "tel": "010-1234-5678", "addr": "서울특별시", "postcode": "04524"}
"""Who bought, where the page did not say."""

_ENDED = ("CANCELED", "RETURNED")
_SHOWN = (
    "product_order_id", "product_order_status", "claim_type", "claim_status", "product_id", "product_name",
    "product_option_id", "product_option_name", "product_amount", "delivery_amount", "quantity", "orderer",
    "shipping_address", "shipping_memo", "shipping_due", "individual_code",
)  # fmt: skip
_NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ship": ("delivery_method", "dispatched_at"),
        "ship-exchanged": ("delivery_method",),
        "request-return": ("delivery_method",),
        "reject-return": ("memo",),
        "withhold-return": ("memo",),
    }
)
_BY_CARRIER = ("DELIVERY", "RETURN_DELIVERY")


def product_orders_of(world: World, imp_uid: str) -> list[Record]:
    """Every product order of a payment, in the order in which the page named the products.

    Raises:
        Refusal: 404: no such payment, not of the order type, or never paid.
    """
    payment, window = world.store["payments"].get(imp_uid), world.store["windows"].get(imp_uid)
    if payment is None or window is None or window["provider"] != ORDER_TYPE or not payment["paid_at"]:
        raise not_found(UNKNOWN)
    lines = window["products"] or [line_of(payment["merchant_uid"], payment["name"] or "상품", payment["amount"])]
    new = (_new(payment, line, place) for place, line in enumerate(lines, 1))
    return [world.store["product_orders"].get(one["product_order_id"], one) for one in new]


def find_product_order(world: World, product_order_id: str) -> Record:
    """One product order.

    Raises:
        Refusal: 404.
    """
    payments_own = product_orders_of(world, f"imp_{product_order_id[:IMP_UID_DIGITS]}")
    found = next((one for one in payments_own if one["product_order_id"] == product_order_id), None)
    if found is None:
        raise not_found(UNKNOWN)
    return found


def shown_product_order(order: Record) -> Record:
    """A product order as PortOne tells it."""
    return {name: order[name] for name in _SHOWN}


def move_product_orders(desk: Desk, imp_uid: str, act: str, body: dict[str, Any]) -> EnvelopeResponse:
    """The merchant does one thing to the product orders that the body names, or to all of the payment.

    Naver is asked for each apart, so that some may move and others not: HTTP 207, with those that moved.

    Raises:
        Refusal: 404; 400 for a missing parameter; 500 and code -1 when none moved, with why the first did not.
    """
    orders = {one["product_order_id"]: one for one in product_orders_of(desk.world, imp_uid)}
    _require(act, body)
    moved, refusals = [], []
    for number in dict.fromkeys(strings(body.get("product_order_id")) or orders):
        try:
            if number not in orders:
                raise not_found(f"{UNKNOWN} ({number})")
            step = step_of(MERCHANT_STEPS[act], orders[number])
            moved.append(_move(desk, orders[number], step, reason_of(act, body), notify=False))
        except Refusal as refusal:
            refusals.append(refusal.message)
    if not moved:
        raise Refusal(refusals[0], code=REFUSED, http_status=500)
    return done([shown_product_order(one) for one in moved], http_status=207 if refusals else 200)


def move_from_outside(desk: Desk, product_order_id: str, act: str) -> Record:
    """The buyer, the carrier or Naver does one thing; a refund of theirs is told by a webhook.

    Raises:
        Refusal: 404, or the product order is in no state for that.
    """
    order = find_product_order(desk.world, product_order_id)
    return _move(desk, order, step_of(OUTSIDE_STEPS[act], order), None, notify=True)


def write_review(world: World, product_order_id: str, review: Mapping[str, Any]) -> Record:
    """The buyer reviews what was bought for good; a second review takes the place of the first.

    Raises:
        Refusal: 404, or the purchase is not decided yet.
    """
    order = find_product_order(world, product_order_id)
    if order["product_order_status"] != "PURCHASE_DECIDED":
        raise Refusal("구매확정된 상품주문이 아닙니다.")
    now = int(world.clock.now())
    first = order["review"] or {"review_id": str(world.store.count("review")), "created_at": now}
    kept = {name: first[name] for name in ("review_id", "created_at")}
    written = {**review, **kept, "modified_at": now if order["review"] else None}
    return world.store.put("product_orders", product_order_id, {**order, "review": written})


def list_reviews(world: World, query: Mapping[str, str]) -> list[Record]:
    """The reviews of one kind that were written from `from` to `to`, Unix seconds, oldest first.

    Raises:
        Refusal: 400 for a missing or wrong parameter.
    """
    require({name: query.get(name) or None for name in ("from", "to", "review_type")}, "from", "to", "review_type",
            http_status=400)  # fmt: skip
    start, end = instant(query["from"], "from"), instant(query["to"], "to")
    if end < start:
        raise bad_request("from, to 파라메터가 올바르지 않습니다.")
    told = [
        {name: one[name] for name in ("product_order_id", "product_id", "product_name", "product_option_name")}
        | {name: value for name, value in one["review"].items() if name != "review_type"}
        | {"writer": one["orderer"]["id"]}
        for one in world.store["product_orders"].values()
        if one["review"] and one["review"]["review_type"] == query["review_type"]
    ]
    return sorted((one for one in told if start <= one["created_at"] <= end), key=lambda one: int(one["created_at"]))


def reason_of(act: str, body: Mapping[str, Any]) -> str | None:
    """The code of the reason; what is none of the schema's codes is its default, as the schema says."""
    reasons = REASONS.get(act)
    if reasons is None:
        return None
    default, codes = reasons
    return str(body["reason"]) if body.get("reason") in codes else default


def _require(act: str, body: dict[str, Any]) -> None:
    names = _NEEDS.get(act, ())
    if "delivery_method" in names and body.get("delivery_method") in _BY_CARRIER:
        names = (*names, "delivery_company", "tracking_number")
    require({name: None if body.get(name) == "" else body.get(name) for name in names}, *names, http_status=400)
    if "dispatched_at" in names:
        instant(body["dispatched_at"], "dispatched_at")


def _move(desk: Desk, order: Record, step: Step, reason: str | None, *, notify: bool) -> Record:
    moved = desk.world.store.put(
        "product_orders", order["product_order_id"], {**order, **step.to, "reason": reason or order["reason"]}
    )
    if step.refunds:
        _refund(desk, moved, notify=notify)
    return moved


def _refund(desk: Desk, order: Record, *, notify: bool) -> None:
    """What was paid for a product order goes back; with the last of a payment, all that is left of it."""
    payment = desk.world.store["payments"][order["imp_uid"]]
    left = payment["amount"] - payment["cancel_amount"]
    is_last = all(one["product_order_status"] in _ENDED for one in product_orders_of(desk.world, order["imp_uid"]))
    part = left if is_last else min(order["product_amount"], left)
    if part > 0:
        at = desk.world.clock.now(payment["customer_uid"])
        desk.execution.refund(payment, part, order["reason"], at, notify=notify)


def _new(payment: Record, line: Record, place: int) -> Record:
    told = {name: payment[f"buyer_{name}"] or where_unsaid for name, where_unsaid in BUYER.items()}
    return {
        **line,
        "product_order_id": f"{payment['imp_uid'].removeprefix('imp_')}{place:04d}",
        "imp_uid": payment["imp_uid"],
        "product_order_status": "PAYED",
        "claim_type": None,
        "claim_status": None,
        "delivery_amount": 0,
        "orderer": {"name": told["name"], "id": "gudo****", "tel": told["tel"]},
        "shipping_address": {
            "base": told["addr"],
            "detail": None,
            "postcode": told["postcode"],
            "tel1": told["tel"],
            "tel2": None,
            "name": told["name"],
        },
        "shipping_memo": None,
        "shipping_due": payment["paid_at"] + SHIPPING_SECONDS,
        "individual_code": None,
        "placed": False,
        "withheld": False,
        "reason": None,
        "review": None,
    }
