"""One call that succeeds for each operation of PortOne's that the emulator has, and what has to be there before."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

CARD = {"card_number": "4518-4212-3456-1111", "expiry": "2099-12"}


@dataclass
class Call:
    """One call that succeeds: the real path, and what it cannot do without."""

    path: str
    needs: dict[str, Any] = field(default_factory=dict)


Ready = Callable[[Any, str], Awaitable[Call]]


def _is(path: str, **needs: Any) -> Ready:
    """A call that needs nothing to be there before but the token and the key `kim`; `{n}` is a number of its own."""

    async def ready(_merchant: Any, number: str) -> Call:
        return Call(path.replace("{n}", number), {name: _own(value, number) for name, value in needs.items()})

    return ready


def _own(value: Any, number: str) -> Any:
    return value.replace("{n}", number) if isinstance(value, str) else value


def _window(path: str, start: str, end: str) -> Ready:
    async def ready(merchant: Any, number: str) -> Call:
        now = await merchant.now()
        return Call(path.replace("{n}", number), {start: now - 1000, end: now + 1000})

    return ready


def _paid(path: str, **needs: Any) -> Ready:
    async def ready(merchant: Any, number: str) -> Call:
        row = (await merchant.again(f"p{number}")).json()["response"]
        found = {name: row[value[1:]] if str(value).startswith("$") else value for name, value in needs.items()}
        return Call(path.format(**row), found)

    return ready


def _scheduled(path: str, *, failed: bool = False, moved: bool = True) -> Ready:
    async def ready(merchant: Any, number: str) -> Call:
        await merchant.schedule(f"s{number}", "lee" if failed else "kim", after=5 if failed else 3600)
        if failed:
            await merchant.advance(10)
        return Call(path.replace("{n}", number), {"schedule_at": await merchant.now() + 7200} if moved else {})

    return ready


def _account(path: str, *, deposited: bool = False, **needs: Any) -> Ready:
    async def ready(merchant: Any, number: str) -> Call:
        order = {"merchant_uid": f"v{number}", "amount": 11000, "vbank_code": "004"}
        row = await merchant.ok("POST", "/vbanks", order | {"vbank_due": await merchant.now() + 3600})
        if deposited:
            await merchant.control("POST", "console", {"act": "deposit", "imp_uid": row["imp_uid"]})
        return Call(path.format(**row), dict(needs))

    return ready


def _receipt(path: str) -> Ready:
    async def ready(merchant: Any, number: str) -> Call:
        call = await _account("/receipts/{imp_uid}", deposited=True)(merchant, number)
        await merchant.ok("POST", call.path, {"identifier": "1"})
        return Call(call.path)

    async def ready_external(merchant: Any, number: str) -> Call:
        await merchant.ok("POST", f"{path}{number}", EXTERNAL)
        return Call(f"{path}{number}")

    return ready_external if path else ready


def _certified(path: str) -> Ready:
    async def ready(merchant: Any, _number: str) -> Call:
        row = await merchant.ok("POST", "/certifications/otp/request", PERSON)
        return Call(path.format(**row), {"otp": "123456"} if "confirm" in path else {})

    return ready


async def _by_status(merchant: Any, number: str) -> Call:
    await merchant.again(f"p{number}")
    now = await merchant.now()
    return Call("/payments/status/paid", {"from": now - 1000, "to": now + 1000})


async def _balance(merchant: Any, number: str) -> Call:
    await merchant.window("payco", pg="payco")
    row = (await merchant.again(f"b{number}", "payco", tax_free=1000)).json()["response"]
    await merchant.ok("POST", "/payments/cancel", {"imp_uid": row["imp_uid"], "amount": 900})
    return Call(f"/payments/{row['imp_uid']}/balance")


async def schedules_case(merchant: Any, number: str) -> Call:
    item = {
        "merchant_uid": f"n{number}",
        "schedule_at": await merchant.now() + 3600,
        "amount": 9900,
        "currency": "KRW",
        "name": "한 달",
    }
    return Call("/subscribe/payments/schedule", {"customer_uid": "kim", "schedules": [item]})


async def _unschedule(merchant: Any, number: str) -> Call:
    await merchant.schedule(f"u{number}")
    return Call("/subscribe/payments/unschedule", {"customer_uid": "kim"})


async def _deletable(merchant: Any, number: str) -> Call:
    await merchant.issue(f"gone{number}")
    return Call(f"/subscribe/customers/gone{number}")


async def _prepared(merchant: Any, number: str) -> Call:
    order = {"merchant_uid": f"w{number}", "amount": 100}
    await merchant.ok("POST", "/payments/prepare", order)
    return Call("/payments/prepare", order)


async def _prepared_one(merchant: Any, number: str) -> Call:
    await _prepared(merchant, number)
    return Call(f"/payments/prepare/w{number}")


async def _vbank(merchant: Any, number: str) -> Call:
    due = await merchant.now() + 3600
    needs = {"channel_key": "channel-key-nice", "merchant_uid": f"v{number}", "amount": 100, "vbank_code": "004"}
    return Call("/vbanks", needs | {"vbank_due": due})


async def _token(merchant: Any, _number: str) -> Call:
    settings = merchant.app.state.account.settings
    return Call("/users/getToken", {"imp_key": settings.imp_key, "imp_secret": settings.imp_secret})


def _by_wallet(pg: str, path: str, **needs: Any) -> Ready:
    async def ready(merchant: Any, number: str) -> Call:
        await merchant.window(pg, pg=pg)
        row = (await merchant.again(f"{pg}{number}", pg)).json()["response"]
        return Call(path.format(**row), dict(needs))

    return ready


def _escrow(*, registered: bool) -> Ready:
    async def ready(merchant: Any, number: str) -> Call:
        param = {"pg": "kcp", "pay_method": "card", "merchant_uid": f"e{number}", "amount": 9900, "escrow": True}
        opened = await merchant.control("POST", "window", {"user_code": "imp00000000", "param": param})
        await merchant.control("POST", f"window/{opened['imp_uid']}/approve", CARD)
        path = f"/escrows/logis/{opened['imp_uid']}"
        if registered:
            await merchant.ok("POST", path, DELIVERY)
        return Call(path, dict(DELIVERY))

    return ready


async def ordered(merchant: Any, merchant_uid: str, **more: Any) -> str:
    """The imp_uid of a payment by Naver Pay's order type, with a product order for each of `PRODUCTS`."""
    param = {"pg": "naverco", "merchant_uid": merchant_uid, "amount": 9900, "naverProducts": PRODUCTS} | more
    opened = await merchant.control("POST", "window", {"user_code": "imp00000000", "param": param})
    await merchant.control("POST", f"window/{opened['imp_uid']}/approve", {})
    return str(opened["imp_uid"])


async def product_orders(merchant: Any, imp_uid: str) -> list[str]:
    rows = await merchant.ok("GET", f"/payments/{imp_uid}/naver/product-orders")
    return [row["product_order_id"] for row in rows]


def _product_order(act: str, *before: str, **needs: Any) -> Ready:
    """An act on the first of three product orders, after acts of the merchant or, with an underscore, of others."""

    async def ready(merchant: Any, number: str) -> Call:
        imp_uid = await ordered(merchant, f"n{number}")
        one = (await product_orders(merchant, imp_uid))[0]
        for former in before:
            if former in OUTSIDE:
                await merchant.control("POST", f"product-orders/{one}", {"act": former})
            else:
                body = {**SHIPMENT, "memo": "메모", "product_order_id": [one]}
                await merchant.ok("POST", f"/payments/{imp_uid}/naver/{former}", body)
        return Call(f"/payments/{imp_uid}/naver/{act}", {"product_order_id": [one], **needs})

    return ready


async def _one_product_order(merchant: Any, number: str) -> Call:
    first, *_ = await product_orders(merchant, await ordered(merchant, f"n{number}"))
    return Call(f"/naver/product-orders/{first}")


async def _listed_product_orders(merchant: Any, number: str) -> Call:
    return Call(f"/payments/{await ordered(merchant, f'n{number}')}/naver/product-orders")


async def _reviews(merchant: Any, number: str) -> Call:
    first, *_ = await product_orders(merchant, imp_uid := await ordered(merchant, f"n{number}"))
    await merchant.ok("POST", f"/payments/{imp_uid}/naver/ship", SHIPMENT)
    for act in ("decide", "review"):
        await merchant.control("POST", f"product-orders/{first}", {"act": act})
    now = await merchant.now()
    return Call("/naver/reviews", {"from": now - 1000, "to": now + 1000, "review_type": "general"})


PRODUCTS: list[dict[str, Any]] = [
    {"id": "book", "name": "책", "basePrice": 2000, "quantity": 2, "supplements": [
        {"id": "ribbon", "name": "리본", "price": 900, "quantity": 1},
    ]},
    {"id": "shoe", "name": "신발", "basePrice": 4900, "options": [
        {"optionQuantity": 1, "optionPrice": 100, "selectionCode": "R_L", "selections": [
            {"code": "RED", "label": "색상", "value": "빨강"}, {"code": "180", "label": "사이즈", "value": "180"},
        ]},
    ]},
]  # fmt: skip
SHIPMENT: dict[str, Any] = {
    "delivery_method": "DELIVERY", "dispatched_at": 1900000000, "delivery_company": "EPOST", "tracking_number": "111",
}  # fmt: skip
RETURN = {"delivery_method": "RETURN_DELIVERY", "delivery_company": "EPOST", "tracking_number": "112"}
OUTSIDE = ("deliver", "request_cancel", "request_return", "request_exchange", "collect", "decide", "withdraw")
DELIVERY: dict[str, Any] = {
    "sender": {"name": "김철수", "tel": "02-0000-0000"},
    "receiver": {"name": "홍길동", "tel": "010-0000-0000"},
    "logis": {"company": "EPOST", "invoice": "1110301285808", "sent_at": 1900000000},
}
ORDER = {"merchant_uid": "o{n}", "amount": 9900, "name": "한 달"}
PERSON = {"name": "홍길동", "phone": "01012345678", "birth": "900131", "gender_digit": "1", "carrier": "SKT"} | {
    "channel_key": "channel-key-danal"
}
EXTERNAL = {"channel_key": "channel-key-nice", "name": "한 달", "amount": 1100, "identifier": "010"}
KEYS, SCHEDULE = "/subscribe/customers", "/subscribe/payments/schedule"
STATUS = {"payment_status": "paid"}
NAVER = "/payments/{imp_uid}/naver"

CASES: dict[tuple[str, str], Ready] = {
    ("POST", "/users/getToken"): _token,
    ("GET", "/users/pg"): _is("/users/pg"),
    ("GET", KEYS): _is(KEYS, **{"customer_uid[]": "kim"}),
    ("GET", f"{KEYS}/{{customer_uid}}"): _is(f"{KEYS}/kim"),
    ("POST", f"{KEYS}/{{customer_uid}}"): _is(f"{KEYS}/new{{n}}", channel_key="channel-key-nice", **CARD),
    ("DELETE", f"{KEYS}/{{customer_uid}}"): _deletable,
    ("GET", f"{KEYS}/{{customer_uid}}/payments"): _is(f"{KEYS}/kim/payments"),
    ("GET", f"{KEYS}/{{customer_uid}}/schedules"): _window(f"{KEYS}/kim/schedules", "from", "to"),
    ("POST", "/subscribe/payments/onetime"): _is("/subscribe/payments/onetime", **ORDER, **CARD),
    ("POST", "/subscribe/payments/again"): _is("/subscribe/payments/again", **ORDER, customer_uid="kim"),
    ("POST", SCHEDULE): schedules_case,
    ("GET", SCHEDULE): _window(SCHEDULE, "schedule_from", "schedule_to"),
    ("GET", f"{SCHEDULE}/customers/{{customer_uid}}"): _window(f"{SCHEDULE}/customers/kim", "from", "to"),
    ("GET", f"{SCHEDULE}/{{merchant_uid}}"): _scheduled(f"{SCHEDULE}/s{{n}}", moved=False),
    ("PUT", f"{SCHEDULE}/{{merchant_uid}}"): _scheduled(f"{SCHEDULE}/s{{n}}"),
    ("POST", f"{SCHEDULE}/{{merchant_uid}}/reschedule"): _scheduled(f"{SCHEDULE}/s{{n}}/reschedule", failed=True),
    ("POST", f"{SCHEDULE}/{{merchant_uid}}/retry"): _scheduled(f"{SCHEDULE}/s{{n}}/retry", failed=True, moved=False),
    ("POST", "/subscribe/payments/unschedule"): _unschedule,
    ("GET", "/payments"): _paid("/payments", **{"imp_uid[]": "$imp_uid"}),
    ("GET", "/payments/{imp_uid}"): _paid("/payments/{imp_uid}"),
    ("GET", "/payments/{imp_uid}/balance"): _balance,
    ("GET", "/payments/find/{merchant_uid}/{payment_status}"): _paid("/payments/find/{merchant_uid}/paid"),
    ("GET", "/payments/findAll/{merchant_uid}/{payment_status}"): _paid("/payments/findAll/{merchant_uid}/paid"),
    ("GET", "/payments/status/{payment_status}"): _by_status,
    ("POST", "/payments/cancel"): _paid("/payments/cancel", imp_uid="$imp_uid"),
    ("POST", "/payments/prepare"): _is("/payments/prepare", merchant_uid="w{n}", amount=100),
    ("PUT", "/payments/prepare"): _prepared,
    ("GET", "/payments/prepare/{merchant_uid}"): _prepared_one,
    ("GET", "/cards"): _is("/cards"),
    ("GET", "/cards/{card_standard_code}"): _is("/cards/361"),
    ("GET", "/banks"): _is("/banks"),
    ("GET", "/banks/{bank_standard_code}"): _is("/banks/004"),
    ("POST", "/vbanks"): _vbank,
    ("PUT", "/vbanks/{imp_uid}"): _account("/vbanks/{imp_uid}"),
    ("DELETE", "/vbanks/{imp_uid}"): _account("/vbanks/{imp_uid}"),
    ("GET", "/receipts/{imp_uid}"): _receipt(""),
    ("POST", "/receipts/{imp_uid}"): _account("/receipts/{imp_uid}", deposited=True, identifier="010"),
    ("DELETE", "/receipts/{imp_uid}"): _receipt(""),
    ("GET", "/receipts/external/{merchant_uid}"): _receipt("/receipts/external/x"),
    ("POST", "/receipts/external/{merchant_uid}"): _is("/receipts/external/x{n}", **EXTERNAL),
    ("DELETE", "/receipts/external/{merchant_uid}"): _receipt("/receipts/external/x"),
    ("GET", "/certifications/{imp_uid}"): _certified("/certifications/{imp_uid}"),
    ("DELETE", "/certifications/{imp_uid}"): _certified("/certifications/{imp_uid}"),
    ("POST", "/certifications/otp/request"): _is("/certifications/otp/request", **PERSON),
    ("POST", "/certifications/otp/confirm/{imp_uid}"): _certified("/certifications/otp/confirm/{imp_uid}"),
    ("GET", "/escrows/logis/{imp_uid}"): _escrow(registered=True),
    ("POST", "/escrows/logis/{imp_uid}"): _escrow(registered=False),
    ("PUT", "/escrows/logis/{imp_uid}"): _escrow(registered=True),
    ("POST", "/payco/orders/status/{imp_uid}"): _by_wallet(
        "payco", "/payco/orders/status/{imp_uid}", status="DELIVERY_START"
    ),
    ("POST", "/payments/{imp_uid}/naver/point"): _by_wallet("naverpay", "/payments/{imp_uid}/naver/point"),
    ("POST", "/payments/{imp_uid}/naver/confirm"): _by_wallet("naverpay", "/payments/{imp_uid}/naver/confirm"),
    ("GET", "/payments/{imp_uid}/naver/cash-amount"): _by_wallet("naverpay", "/payments/{imp_uid}/naver/cash-amount"),
    ("GET", "/naver/product-orders/{product_order_id}"): _one_product_order,
    ("GET", "/naver/reviews"): _reviews,
    ("GET", f"{NAVER}/product-orders"): _listed_product_orders,
    ("POST", f"{NAVER}/place"): _product_order("place"),
    ("POST", f"{NAVER}/ship"): _product_order("ship", **SHIPMENT),
    ("POST", f"{NAVER}/cancel"): _product_order("cancel"),
    ("POST", f"{NAVER}/approve-cancel"): _product_order("approve-cancel", "place", "request_cancel"),
    ("POST", f"{NAVER}/request-return"): _product_order("request-return", "ship", **RETURN),
    ("POST", f"{NAVER}/approve-return"): _product_order("approve-return", "ship", "request_return"),
    ("POST", f"{NAVER}/reject-return"): _product_order("reject-return", "ship", "request_return", memo="메모"),
    ("POST", f"{NAVER}/withhold-return"): _product_order("withhold-return", "ship", "request_return", memo="메모"),
    ("POST", f"{NAVER}/resolve-return"): _product_order("resolve-return", "ship", "request_return", "withhold-return"),
    ("POST", f"{NAVER}/collect-exchanged"): _product_order("collect-exchanged", "ship", "request_exchange"),
    ("POST", f"{NAVER}/ship-exchanged"): _product_order(
        "ship-exchanged", "ship", "request_exchange", "collect-exchanged", **SHIPMENT
    ),
}
