"""/naver, /payments/{imp_uid}/naver: Naver Pay's product orders; /emulator/product-orders: what others do to them."""

from collections.abc import Callable
from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from billing.emulator.account import TheAccount
from billing.emulator.envelope import Refusal
from billing.emulator.product_order_steps import MERCHANT_STEPS
from billing.emulator.product_orders import (
    find_product_order,
    list_reviews,
    move_from_outside,
    move_product_orders,
    product_orders_of,
    shown_product_order,
    write_review,
)
from billing.emulator.store import Record

router = APIRouter()


class OutsideAct(BaseModel):
    """What the buyer, the carrier or Naver does to a product order; the last four fields are those of a `review`."""

    model_config = ConfigDict(extra="forbid")

    act: Literal[
        "deliver", "decide", "request_cancel", "request_return", "request_exchange", "collect", "withdraw", "review"
    ]
    review_type: Literal["general", "premium"] = "general"
    score: str = Field(default="2", min_length=1, max_length=2)
    title: str = "좋아요"
    content: str | None = None


@router.get("/naver/product-orders/{product_order_id}")
async def get_one(request: Request, account: TheAccount, product_order_id: str) -> Response:
    """One product order."""
    return await account.perform(
        request, "naver", lambda _body: shown_product_order(find_product_order(account.world, product_order_id))
    )


@router.get("/naver/reviews")
async def get_reviews(request: Request, account: TheAccount) -> Response:
    """What buyers wrote; there is one channel, whatever `channel_key` says."""
    return await account.perform(request, "naver", lambda _body: list_reviews(account.world, request.query_params))


@router.get("/payments/{imp_uid}/naver/product-orders")
async def get_all(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """The product orders of a payment."""

    def work(_body: dict[str, Any]) -> list[Record]:
        return [shown_product_order(one) for one in product_orders_of(account.world, imp_uid)]

    return await account.perform(request, "naver", work)


@router.post("/emulator/product-orders/{product_order_id}", include_in_schema=False)
async def post_outside(account: TheAccount, product_order_id: str, said: OutsideAct) -> Record:
    """What the buyer, the carrier or Naver does: the product order afterwards; 404, or 409 in no state for that."""
    try:
        with account.world.store.writing():
            if said.act == "review":
                review = said.model_dump(exclude={"act"})
                order = write_review(account.world, product_order_id, review)
            else:
                order = move_from_outside(account.desk, product_order_id, said.act)
    except Refusal as refusal:
        raise HTTPException(404 if refusal.http_status == 404 else 409, refusal.message) from None  # noqa: PLR2004
    account.webhooks.start()
    return shown_product_order(order)


def _mover(act: str) -> Callable[..., Any]:
    async def post_act(request: Request, account: TheAccount, imp_uid: str) -> Response:
        """Move the product orders that are named, or all."""
        return await account.perform(
            request, "naver", lambda body: move_product_orders(account.desk, imp_uid, act, body)
        )

    return post_act


for _act in MERCHANT_STEPS:
    router.add_api_route(f"/payments/{{imp_uid}}/naver/{_act}", _mover(_act), methods=["POST"], name=_act)
