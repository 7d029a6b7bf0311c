"""Every operation of PortOne's V1 API: what it is, and with which HTTP statuses its schema lets it answer.

The schema itself is not part of this project; `tests/emulator/test_operations.py` holds this table against it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fastapi import Request

from billing.emulator.envelope import Refusal

BAD_REQUEST = 400


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: `does` in a few words, `statuses` as PortOne's schema lists them."""

    method: str
    path: str
    does: str
    statuses: tuple[int, ...]


def _op(method: str, path: str, does: str, *more: int, token: bool = True) -> Operation:
    """Every operation answers 200, and all but four list 401."""
    return Operation(method, path, does, (200, *((401,) if token else ()), *more))


OPERATIONS = (
    _op("POST", "/users/getToken", "an access token"),
    _op("GET", "/users/pg", "the account's channels", token=False),
    _op("GET", "/banks", "every bank", 404),
    _op("GET", "/banks/{bank_standard_code}", "a bank", 404),
    _op("POST", "/benepia/payment", "a payment with Benepia points", 500),
    _op("POST", "/benepia/point", "a Benepia member's points", 500),
    _op("GET", "/cards", "every card company", 404),
    _op("GET", "/cards/{card_standard_code}", "a card company", 404),
    _op("POST", "/certifications/otp/confirm/{imp_uid}", "confirms with the one-time password", 400, 404, 500),
    _op("POST", "/certifications/otp/request", "asks for a one-time password by SMS", 400, 500),
    _op("DELETE", "/certifications/{imp_uid}", "deletes an identity check", 404, 500),
    _op("GET", "/certifications/{imp_uid}", "an identity check", 404),
    _op("POST", "/cvs", "a number to pay with at a convenience store"),
    _op("DELETE", "/cvs/{imp_uid}", "takes such a number back"),
    _op("GET", "/escrows/logis/{imp_uid}", "the delivery of an escrow payment", 400, 404, 409, 500),
    _op("POST", "/escrows/logis/{imp_uid}", "registers that delivery", 400, 404, 405, 409, 500),
    _op("PUT", "/escrows/logis/{imp_uid}", "changes that delivery", 400, 404, 405, 409, 500),
    _op("DELETE", "/kcpquick/autopay/{customer_uid}", "deletes a KCP Quick key", 404, 500),
    _op("DELETE", "/kcpquick/members/{member_id}", "deletes a member of KCP Quick", 404),
    _op("POST", "/kcpquick/members/{member_id}/fido/release", "ends a member's use of biometrics", 400, 500),
    _op("POST", "/kcpquick/payment/autopay", "a payment by a KCP Quick key"),
    _op("POST", "/kcpquick/payment/money", "a payment with KCP's prepaid money"),
    _op("POST", "/kcpquick/prepare/{merchant_uid}", "registers a payment with that money", 400, 409),
    _op("PUT", "/kcpquick/prepare/{merchant_uid}", "changes a registered payment with that money", 400, 404),
    _op("GET", "/naver/product-orders/{product_order_id}", "one product order", 400, 404),
    _op("GET", "/naver/reviews", "reviews of products", 400, 500),
    _op("POST", "/partners/receipts/{imp_uid}", "registers sub-merchants on a receipt", 400, 404, 500, 501),
    _op("POST", "/payco/orders/status/{imp_uid}", "changes the status of a PAYCO order"),
    _op("GET", "/payments", "payments by their ids", 207, 404),
    _op("POST", "/payments/cancel", "refunds a payment"),
    _op("GET", "/payments/find/{merchant_uid}/{payment_status}", "the first payment of an order number", 404),
    _op("GET", "/payments/findAll/{merchant_uid}/{payment_status}", "every payment of an order number", 400, 404),
    _op("POST", "/payments/prepare", "registers the amount of a window's payment"),
    _op("PUT", "/payments/prepare", "changes a registered amount", 404),
    _op("GET", "/payments/prepare/{merchant_uid}", "a registered amount"),
    _op("GET", "/payments/status/{payment_status}", "payments by status and time", 400),
    _op("GET", "/payments/{imp_uid}", "a payment", 404),
    _op("GET", "/payments/{imp_uid}/balance", "the parts of a payment by PAYCO", 404, 405),
    _op("POST", "/payments/{imp_uid}/naver/approve-cancel", "approves a buyer's request for a refund", 207, 404, 500),
    _op("POST", "/payments/{imp_uid}/naver/approve-return", "approves a return", 207, 404, 500),
    _op("POST", "/payments/{imp_uid}/naver/cancel", "refunds a Naver order", 207, 404, 500),
    _op(
        "GET",
        "/payments/{imp_uid}/naver/cash-amount",
        "how much of a Naver Pay payment a cash receipt may be for",
        400,
        500,
    ),
    _op("POST", "/payments/{imp_uid}/naver/collect-exchanged", "has collected what is exchanged", 207, 404, 500),
    _op("POST", "/payments/{imp_uid}/naver/confirm", "confirms an escrow payment by Naver Pay", 404, 500),
    _op("POST", "/payments/{imp_uid}/naver/place", "takes a Naver order on", 207, 404, 500),
    _op("POST", "/payments/{imp_uid}/naver/point", "gives Naver Pay's points", 404, 500),
    _op("GET", "/payments/{imp_uid}/naver/product-orders", "the product orders of a Naver order", 404),
    _op("POST", "/payments/{imp_uid}/naver/reject-return", "rejects a return", 207, 400, 404, 500),
    _op("POST", "/payments/{imp_uid}/naver/request-return", "asks for a return", 207, 400, 404, 500),
    _op("POST", "/payments/{imp_uid}/naver/resolve-return", "goes on with a return", 207, 404, 500),
    _op("POST", "/payments/{imp_uid}/naver/ship", "ships a Naver order", 207, 400, 404, 500),
    _op("POST", "/payments/{imp_uid}/naver/ship-exchanged", "ships what was exchanged", 207, 400, 404, 500),
    _op("POST", "/payments/{imp_uid}/naver/withhold-return", "holds a return back", 207, 400, 404, 500),
    _op("POST", "/paymentwall/delivery", "tells Paymentwall of a delivery"),
    _op("DELETE", "/receipts/external/{merchant_uid}", "takes that one back", 400, 404, 500, 501),
    _op("GET", "/receipts/external/{merchant_uid}", "the cash receipt of a payment outside PortOne", 404),
    _op("POST", "/receipts/external/{merchant_uid}", "issues that one", 400, 500, 501),
    _op("DELETE", "/receipts/{imp_uid}", "takes it back", 400, 500, 501),
    _op("GET", "/receipts/{imp_uid}", "the cash receipt of a payment", 404),
    _op("POST", "/receipts/{imp_uid}", "issues it", 400, 500, 501),
    _op("GET", "/subscribe/customers", "billing keys by their customer_uids", 207, 404),
    _op("DELETE", "/subscribe/customers/{customer_uid}", "deletes a billing key", 404),
    _op("GET", "/subscribe/customers/{customer_uid}", "a billing key", 404),
    _op("POST", "/subscribe/customers/{customer_uid}", "issues a billing key from a card"),
    _op("GET", "/subscribe/customers/{customer_uid}/payments", "the payments of a billing key", 404),
    _op("GET", "/subscribe/customers/{customer_uid}/schedules", "the schedules of a billing key", 400),
    _op("POST", "/subscribe/payments/again", "charges a billing key"),
    _op("POST", "/subscribe/payments/onetime", "charges a card that is typed in"),
    _op("GET", "/subscribe/payments/schedule", "schedules by time", 400),
    _op("POST", "/subscribe/payments/schedule", "registers schedules"),
    _op("GET", "/subscribe/payments/schedule/customers/{customer_uid}", "the schedules of a billing key", 400),
    _op("GET", "/subscribe/payments/schedule/{merchant_uid}", "a schedule", 404),
    _op("PUT", "/subscribe/payments/schedule/{merchant_uid}", "changes its time", 400, 404, 500, token=False),
    _op(
        "POST",
        "/subscribe/payments/schedule/{merchant_uid}/reschedule",
        "books a failed or revoked one anew",
        400,
        404,
        500,
        token=False,
    ),
    _op(
        "POST",
        "/subscribe/payments/schedule/{merchant_uid}/retry",
        "runs a failed or revoked one at once",
        400,
        404,
        500,
        token=False,
    ),
    _op("POST", "/subscribe/payments/unschedule", "takes schedules back"),
    _op("GET", "/tiers/{tier_code}", "a sub-merchant", 404),
    _op("POST", "/vbanks", "issues a virtual account"),
    _op("DELETE", "/vbanks/{imp_uid}", "deletes one that waits", 400, 404),
    _op("PUT", "/vbanks/{imp_uid}", "changes one that waits", 400, 404),
)

EXCEPTIONS: Mapping[tuple[str, str, int], str] = MappingProxyType(
    {
        ("*", "*", 401): "PortOne's page on authentication: without a living token every call is 401.",
        ("*", "*", 500): "A failure of the emulator's own, as any server may have one: `Internal Server Error`.",
        ("POST", "/users/getToken", 400): "iamporter's `test/auth.test.js`, with the switch `missing_credentials`.",
        ("GET", "/payments/prepare/{merchant_uid}", 404): "iamporter's `test/payment.test.js`.",
    }
)
"""Statuses that the schema does not list, and who has seen them; `*` is every operation."""

_ALIASES = {
    # The last part of these two is optional, which a path of the schema cannot say.
    ("GET", "/payments/find/{merchant_uid}"): "/payments/find/{merchant_uid}/{payment_status}",
    ("GET", "/payments/findAll/{merchant_uid}"): "/payments/findAll/{merchant_uid}/{payment_status}",
    # In no schema: PortOne's own Python client charges foreign cards there.
    ("POST", "/subscribe/payments/foreign"): "/subscribe/payments/onetime",
}
_BY_PATH = {(one.method, one.path): one for one in OPERATIONS}


def operation_of(request: Request) -> Operation | None:
    """The operation that a request was routed to; None for what is not PortOne's."""
    path = str(getattr(request.scope.get("route"), "path", ""))
    return _BY_PATH.get((request.method, _ALIASES.get((request.method, path), path)))


def as_listed(refusal: Refusal, operation: Operation | None) -> Refusal:
    """A refusal with a status that its operation lists: where that has no 400, bad parameters are 200 and a code."""
    if operation is None or refusal.http_status != BAD_REQUEST:
        return refusal
    if BAD_REQUEST in operation.statuses or (operation.method, operation.path, BAD_REQUEST) in EXCEPTIONS:
        return refusal
    return Refusal(refusal.message, code=refusal.code)
