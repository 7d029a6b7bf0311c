"""The types of what stands in PortOne's rows: exact amounts, and texts of which no more is read than may be kept."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from billing.domain.facts import mask_to_last_four
from billing.portone.text import name, provider, readable, reason_of_refund, without_card

_MAX_AMOUNT_DIGITS = 15


def _exact(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("not a number")  # noqa: TRY004 - pydantic turns only a ValueError into a validation error
    try:
        amount = Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError("not a number") from error
    # 1e999999 is valid JSON and would fill the memory once written out.
    if not amount.is_finite() or amount.adjusted() >= _MAX_AMOUNT_DIGITS:
        raise ValueError("not an amount")
    return amount


def _exact_or_zero(value: Any) -> Decimal:
    return Decimal(0) if value is None else _exact(value)


WireAmount = Annotated[Decimal, BeforeValidator(_exact)]
WireAmountOrZero = Annotated[Decimal, BeforeValidator(_exact_or_zero)]
CountFromZero = Annotated[int, BeforeValidator(lambda value: value or 0)]


def _of_text(read: Callable[[str], str | None]) -> BeforeValidator:
    """A text through `read`, a number likewise; whatever else it is, pydantic refuses."""
    return BeforeValidator(lambda value: read(str(value)) if isinstance(value, str | int | float | Decimal) else value)


def _no_card(uid: str) -> str:
    if without_card(uid) is None:
        raise ValueError("not an id")
    return uid


LastFour = Annotated[str | None, BeforeValidator(lambda value: mask_to_last_four(str(value)) if value else None)]
Readable = Annotated[str | None, _of_text(readable)]
RefundReason = Annotated[str | None, _of_text(reason_of_refund)]
Named = Annotated[str | None, _of_text(name)]
Provider = Annotated[str | None, _of_text(provider)]
Address = Annotated[str | None, _of_text(without_card)]
PortOneUid = Annotated[str, AfterValidator(_no_card)]
"""An id that PortOne makes itself; order numbers and customer uids are the merchant's and come back as they are."""
