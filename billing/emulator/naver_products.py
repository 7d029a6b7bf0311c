"""What a page says is bought by Naver Pay's order type: `naverProducts`, read as one line for each product order.

The shape is that of PortOne's own manual (github.com/iamport/iamport-manual, NAVERPAY/sample): a product that is bought
in several options is a line for each of them, and so is each of its supplements.
"""

from collections.abc import Iterator
from typing import Any

from billing.emulator.form import number, objects, require
from billing.emulator.store import Record

ORDER_TYPE = "naverco"
"""The `pg` of Naver Pay's order type; its other one is `naverpay`, the payment type."""

NAME = "naverProducts"


def read_products(products: Any) -> list[Record]:
    """Every product order's own part: ids, names, `quantity`, and `product_amount` in won for all of that quantity.

    Raises:
        Refusal: it is no list of products, or one lacks its id, name or price.
    """
    return [line for product in objects(products, NAME) for line in _lines(product)]


def _lines(product: Record) -> Iterator[Record]:
    require(product, "id", "name", "basePrice")
    price = number(product["basePrice"], "basePrice")
    options = objects(product["options"], "options") if product.get("options") else []
    if not options:
        yield _line(product, "", "", price, product.get("quantity"))
    for option in options:
        chosen = objects(option["selections"], "selections") if option.get("selections") else []
        code = str(option.get("selectionCode") or "_".join(str(one.get("code")) for one in chosen))
        name = " / ".join(f"{one.get('label')}: {one.get('value')}" for one in chosen)
        extra = number(option.get("optionPrice") or 0, "optionPrice")
        yield _line(product, code, name, price + extra, option.get("optionQuantity"))
    for supplement in objects(product["supplements"], "supplements") if product.get("supplements") else ():
        require(supplement, "id", "name", "price")
        yield _line(supplement, "", "", number(supplement["price"], "price"), supplement.get("quantity"))


def _line(product: Record, option_id: str, option_name: str, price: float, quantity: Any) -> Record:
    count = int(number(1 if quantity in (None, "") else quantity, "quantity"))
    return line_of(str(product["id"]), str(product["name"]), price * count, count) | {
        "product_option_id": option_id,
        "product_option_name": option_name,
    }


def line_of(product_id: str, name: str, amount: float, quantity: int = 1) -> Record:
    """A line without options; `amount` in won is for all of the quantity."""
    return {
        "product_id": product_id,
        "product_name": name,
        "product_option_id": "",
        "product_option_name": "",
        "product_amount": int(amount),
        "quantity": quantity,
    }
