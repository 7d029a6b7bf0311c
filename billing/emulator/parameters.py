"""What a parameter may be, by operation, where PortOne's schema says so: lengths, choices, numbers.

`tests/emulator/test_parameters.py` walks the schema and tries each of its limits.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from billing.emulator.envelope import bad_request
from billing.emulator.form import number
from billing.emulator.operations import Operation

_ORDER = {
    "name": 40, "buyer_name": 16, "buyer_email": 64, "buyer_tel": 16, "buyer_addr": 128, "buyer_postcode": 8,
}  # fmt: skip
_CUSTOMER = {
    "customer_name": 20, "customer_tel": 20, "customer_email": 200, "customer_addr": 200, "customer_postcode": 8,
}  # fmt: skip

LENGTHS: Mapping[tuple[str, str], Mapping[str, int]] = MappingProxyType(
    {
        ("POST", "/subscribe/customers/{customer_uid}"): _CUSTOMER
        | {"customer_uid": 80, "pg": 80, "channel_key": 55, "channel_group_id": 55},
        ("POST", "/subscribe/payments/again"): _ORDER | {"customer_uid": 80, "merchant_uid": 40, "channel_key": 55},
        ("POST", "/subscribe/payments/onetime"): _ORDER
        | {"customer_uid": 80, "merchant_uid": 40, "pg": 80, "channelGroupId": 55},
        ("POST", "/subscribe/payments/schedule"): {"customer_uid": 80, "channel_key": 55},
        ("POST", "/payments/prepare"): {"merchant_uid": 40},
        ("PUT", "/payments/prepare"): {"merchant_uid": 40},
        ("POST", "/vbanks"): _ORDER
        | {"merchant_uid": 40, "vbank_holder": 16, "vbank_key": 13, "business_registration_number": 10},
    }
)

_GOODS = {"product_type": ("real", "digital")}
_SORTING = {"sorting": ("-started", "started", "-paid", "paid", "-updated", "updated")}
_SCHEDULED = ("scheduled", "executed", "revoked")
_RECEIPT = _GOODS | {
    "type": ("person", "company"),
    "identifier_type": ("person", "business", "phone", "taxcard"),
}

_CARRIERS = (
    "CJGLS", "KGB", "DONGBU", "EPOST", "REGISTPOST", "HANJIN", "HYUNDAI", "KGBLS", "INNOGIS", "DAESIN", "ILYANG",
    "KDEXP", "CHUNIL", "CH1", "HDEXP", "CVSNET", "DHL", "FEDEX", "GSMNTON", "WARPEX", "WIZWA", "EMS", "DHLDE",
    "ACIEXPRESS", "EZUSA", "PANTOS", "UPS", "HLCGLOBAL", "KOREXG", "TNT", "SWGEXP", "DAEWOON", "USPS", "IPARCEL",
    "KUNYOUNG", "HPL", "DADREAM", "SLX", "SFEXPRESS", "HONAM",
)  # fmt: skip
_SHIPPING = {
    "delivery_method": ("DELIVERY", "GDFW_ISSUE_SVC", "VISIT_RECEIPT", "DIRECT_DELIVERY", "QUICK_SVC", "NOTHING"),
    "delivery_company": _CARRIERS,
}
_RETURNING = {
    "delivery_method": ("RETURN_DESIGNATED", "RETURN_DELIVERY", "RETURN_INDIVIDUAL"),
    "delivery_company": _CARRIERS,
}

REASONS: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "cancel": (
            "PRODUCT_UNSATISFIED",
            (
                "SOLD_OUT", "DELAYED_DELIVERY", "PRODUCT_UNSATISFIED", "INTENT_CHANGED", "COLOR_AND_SIZE",
                "WRONG_ORDER", "INCORRECT_INFO",
            ),
        ),
        "request-return": (
            "INTENT_CHANGED",
            (
                "INTENT_CHANGED", "COLOR_AND_SIZE", "WRONG_ORDER", "PRODUCT_UNSATISFIED", "DELAYED_DELIVERY",
                "SOLD_OUT", "DROPPED_DELIVERY", "BROKEN", "INCORRECT_INFO", "WRONG_DELIVERY", "WRONG_OPTION",
            ),
        ),
        "withhold-return": (
            "ETC",
            (
                "RETURN_DELIVERYFEE", "EXTRAFEEE", "RETURN_DELIVERYFEE_AND_EXTRAFEEE", "RETURN_PRODUCT_NOT_DELIVERED",
                "ETC",
            ),
        ),
    }
)  # fmt: skip
"""The default and the codes of `reason` in acts on Naver Pay's product orders: any other code counts as the default."""

CHOICES: Mapping[tuple[str, str], Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        ("POST", "/certifications/otp/request"): {
            "carrier": ("SKT", "KT", "LGT"),
            "verification_method": ("SMS", "APP"),
        },
        ("POST", "/subscribe/payments/onetime"): _GOODS,
        ("POST", "/subscribe/payments/again"): _GOODS | {"cash_receipt_type": ("person", "company", "anonymous")},
        ("POST", "/vbanks"): _GOODS,
        ("POST", "/receipts/{imp_uid}"): _RECEIPT,
        ("POST", "/receipts/external/{merchant_uid}"): _RECEIPT | {"pay_method": ("trans", "vbank")},
        ("POST", "/payco/orders/status/{imp_uid}"): {"status": ("DELIVERY_START", "PURCHASE_DECISION", "CANCELED")},
        ("GET", "/naver/reviews"): {"review_type": ("general", "premium")},
        ("POST", "/payments/{imp_uid}/naver/ship"): _SHIPPING,
        ("POST", "/payments/{imp_uid}/naver/ship-exchanged"): _SHIPPING,
        ("POST", "/payments/{imp_uid}/naver/request-return"): _RETURNING,
        ("GET", "/payments/find/{merchant_uid}/{payment_status}"): _SORTING,
        ("GET", "/payments/findAll/{merchant_uid}/{payment_status}"): _SORTING,
        ("GET", "/payments/status/{payment_status}"): _SORTING,
        ("GET", "/subscribe/payments/schedule"): {"schedule_status": _SCHEDULED},
        ("GET", "/subscribe/payments/schedule/customers/{customer_uid}"): {"schedule-status": _SCHEDULED},
        ("GET", "/subscribe/customers/{customer_uid}/schedules"): {"schedule-status": _SCHEDULED},
    }
)

NUMBERS = (
    "amount", "tax_free", "vat_amount", "vat", "card_quota", "product_count", "checksum", "checking_amount",
    "schedule_at", "vbank_due", "dispatched_at", "extra_charge",
)  # fmt: skip
"""The parameters of a body that are numbers, in every operation that has them."""


def require_parameters(operation: Operation | None, said: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    """Make sure that what is said is of the form that PortOne documents.

    What is left out, null or empty is not looked at.

    Args:
        operation: None has no rules.
        said: Everything: path, query and body.
        body: What of it is the body.

    Raises:
        Refusal: 400, naming the parameter.
    """
    if operation is None:
        return
    where = (operation.method, operation.path)
    _require_texts(said, LENGTHS.get(where, {}), CHOICES.get(where, {}))
    _require_numbers(body)
    items = body.get("schedules")
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            _require_texts(item, _ORDER, {})
            _require_numbers(item)


def _require_texts(said: Mapping[str, Any], lengths: Mapping[str, int], choices: Mapping[str, tuple[str, ...]]) -> None:
    for name, longest in lengths.items():
        if _given(said, name) and len(str(said[name])) > longest:
            raise bad_request(f"{name} 파라메터는 {longest}자 이내여야 합니다.")
    for name, allowed in choices.items():
        if _given(said, name) and said[name] not in allowed:
            raise bad_request(f"{name} 파라메터가 올바르지 않습니다.")


def _require_numbers(body: Mapping[str, Any]) -> None:
    for name in NUMBERS:
        if _given(body, name):
            number(body[name], name)


def _given(said: Mapping[str, Any], name: str) -> bool:
    return said.get(name) not in (None, "")
