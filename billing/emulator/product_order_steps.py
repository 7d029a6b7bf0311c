"""How a product order of Naver Pay moves: each act as data, with what it may be done to and what becomes of it.

The statuses and claims are those of PortOne's schema. It does not say what may be done when: that a product order has
one open claim at most, and which act follows which, is what the names of the operations and of the statuses imply.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from billing.emulator.envelope import Refusal
from billing.emulator.store import Record

_OPEN = frozenset(
    {
        "CANCEL_REQUEST", "RETURN_REQUEST", "COLLECTING", "COLLECT_DONE", "EXCHANGE_REQUEST", "EXCHANGE_REDELIVERING",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What an act does to a product order that it fits.

    Without a `claim_type` it fits one of `statuses` that has no open claim; with one, a claim of that type in one of
    `claims`. `placed` and `withheld` None fit either. `to` is what changes; `refunds` gives back what was paid for it.
    """

    to: Mapping[str, Any]
    statuses: frozenset[str] = frozenset()
    claim_type: str | None = None
    claims: frozenset[str] = frozenset()
    placed: bool | None = None
    withheld: bool | None = None
    refunds: bool = False

    def fits(self, order: Record) -> bool:
        """Whether a product order is where this step begins."""
        if self.claim_type is None:
            begins = order["product_order_status"] in self.statuses and order["claim_status"] not in _OPEN
        else:
            begins = order["claim_type"] == self.claim_type and order["claim_status"] in self.claims
        return begins and self.placed in (None, order["placed"]) and self.withheld in (None, order["withheld"])


def _claimed(claim_type: str, claims: str, **more: Any) -> Step:
    return Step(claim_type=claim_type, claims=frozenset(claims.split()), **more)


def _standing(statuses: str, **more: Any) -> Step:
    return Step(statuses=frozenset(statuses.split()), **more)


_RETURNING = "RETURN_REQUEST COLLECTING COLLECT_DONE"
_EXCHANGING = "EXCHANGE_REQUEST COLLECTING"
_SENT = "DELIVERING DELIVERED"
_CANCELED = {"product_order_status": "CANCELED", "claim_type": "CANCEL", "claim_status": "CANCEL_DONE"}
_RETURNED = {"product_order_status": "RETURNED", "claim_status": "RETURN_DONE"}
_EXCHANGED = {"product_order_status": "EXCHANGED", "claim_status": "EXCHANGE_DONE"}
_RETURN = {"claim_type": "RETURN", "claim_status": "RETURN_REQUEST", "withheld": False}
_EXCHANGE = {"claim_type": "EXCHANGE", "claim_status": "EXCHANGE_REQUEST"}
_REQUEST_RETURN = (_standing(_SENT, to=_RETURN),)

MERCHANT_STEPS: Mapping[str, tuple[Step, ...]] = MappingProxyType(
    {
        "place": (_standing("PAYED", placed=False, to={"placed": True}),),
        "ship": (_standing("PAYED", to={"product_order_status": "DELIVERING", "placed": True}),),
        "cancel": (_standing("PAYED", to=_CANCELED, refunds=True),),
        "approve-cancel": (_claimed("CANCEL", "CANCEL_REQUEST", to=_CANCELED, refunds=True),),
        "request-return": _REQUEST_RETURN,
        "approve-return": (_claimed("RETURN", _RETURNING, withheld=False, to=_RETURNED, refunds=True),),
        "reject-return": (_claimed("RETURN", _RETURNING, to={"claim_status": "RETURN_REJECT", "withheld": False}),),
        "withhold-return": (_claimed("RETURN", _RETURNING, withheld=False, to={"withheld": True}),),
        "resolve-return": (_claimed("RETURN", _RETURNING, withheld=True, to={"withheld": False}),),
        "collect-exchanged": (_claimed("EXCHANGE", _EXCHANGING, to={"claim_status": "COLLECT_DONE"}),),
        "ship-exchanged": (_claimed("EXCHANGE", "COLLECT_DONE", to={"claim_status": "EXCHANGE_REDELIVERING"}),),
    }
)
"""What the merchant does, by the last part of the operation's path."""

OUTSIDE_STEPS: Mapping[str, tuple[Step, ...]] = MappingProxyType(
    {
        "deliver": (
            _standing("DELIVERING", to={"product_order_status": "DELIVERED"}),
            _claimed("EXCHANGE", "EXCHANGE_REDELIVERING", to=_EXCHANGED),
        ),
        "decide": (_standing(_SENT, to={"product_order_status": "PURCHASE_DECIDED"}),),
        # Only once the merchant has taken an order on does a cancel need the merchant's consent.
        "request_cancel": (
            _standing("PAYED", placed=False, to=_CANCELED, refunds=True),
            _standing("PAYED", placed=True, to={"claim_type": "CANCEL", "claim_status": "CANCEL_REQUEST"}),
        ),
        "request_return": _REQUEST_RETURN,
        "request_exchange": (_standing(_SENT, to=_EXCHANGE),),
        "collect": (
            _claimed("RETURN", "RETURN_REQUEST", to={"claim_status": "COLLECTING"}),
            _claimed("RETURN", "COLLECTING", to={"claim_status": "COLLECT_DONE"}),
            _claimed("EXCHANGE", "EXCHANGE_REQUEST", to={"claim_status": "COLLECTING"}),
        ),
        "withdraw": (
            _claimed("CANCEL", "CANCEL_REQUEST", to={"claim_status": "CANCEL_REJECT"}),
            _claimed("RETURN", _RETURNING, to={"claim_status": "RETURN_REJECT", "withheld": False}),
            _claimed("EXCHANGE", _EXCHANGING, to={"claim_status": "EXCHANGE_REJECT"}),
        ),
    }
)
"""What the buyer, the carrier or Naver does, of which PortOne has no operation."""


def step_of(steps: tuple[Step, ...], order: Record) -> Step:
    """The step that fits a product order.

    Raises:
        Refusal: code 1: none does; it says where the product order is.
    """
    found = next((one for one in steps if one.fits(order)), None)
    if found is None:
        where = "/".join(filter(None, (order["product_order_status"], order["claim_type"], order["claim_status"])))
        raise Refusal(f"처리할 수 없는 상품주문 상태입니다. ({order['product_order_id']}: {where})")
    return found
