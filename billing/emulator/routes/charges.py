"""POST /subscribe/payments/onetime and /again."""

from typing import Any

from fastapi import APIRouter, Request, Response

from billing.emulator.account import Account, AccountDep
from billing.emulator.cards import CARD_REFUSED, read_card
from billing.emulator.envelope import REFUSED, LostAnswer, Refusal, bad_request
from billing.emulator.form import number
from billing.emulator.keys import keep_key, shown
from billing.emulator.store import Record

MERCHANT_UID_LENGTH = 40


router = APIRouter(prefix="/subscribe/payments")


def charge(
    account: Account, request: Request, body: dict[str, Any], card: Record, usage: str | None
) -> Record | Response:
    order = {**read_order(body), "user_agent": request.headers.get("user-agent")}
    at = account.world.clock.now(order.get("customer_uid"))
    payment = account.execution.attempt(order, card, at, usage=usage)
    if card["last_four"] == "0005" and account.world.store.count(f"lost {payment['merchant_uid']}") == 1:
        return LostAnswer()
    if payment["status"] == "failed":
        raise Refusal(payment["fail_reason"], code=REFUSED)
    return shown(payment)


@router.post("/onetime")
async def onetime(account: AccountDep, request: Request) -> Response:
    def work(body: dict[str, Any]) -> Any:
        customer_uid = body.get("customer_uid")
        order = read_order(body)
        if account.world.is_paid(order["merchant_uid"]):
            raise Refusal("이미 결제가 이루어진 merchant_uid입니다.")
        card = read_card(body, account.world.clock.now(customer_uid), sentence=CARD_REFUSED)
        provider, pg_id = account.world.provider(body)
        used = {
            "last_four": card.last_four,
            "card_number": card.masked,
            "card_name": card.name,
            "card_code": card.code,
            "pg_provider": provider,
            "pg_id": pg_id,
        }
        answer = charge(account, request, body, used, "issue" if customer_uid else None)
        if customer_uid:
            keep_key(account.world, str(customer_uid), body, card)
        return answer

    return await account.perform(request, "onetime", work)


@router.post("/again")
async def again(account: AccountDep, request: Request) -> Response:
    def work(body: dict[str, Any]) -> Any:
        order = read_order(body)
        key = account.world.store["keys"].get(str(body.get("customer_uid")))
        if key is None:
            raise Refusal("등록되지 않은 구매자입니다.")
        if account.settings.refuse_duplicate_again and account.world.is_paid(order["merchant_uid"]):
            raise Refusal("이미 결제가 이루어진 merchant_uid입니다.")
        return charge(account, request, body, key, "payment")

    return await account.perform(request, "again", work)


def read_order(body: dict[str, Any]) -> Record:
    """What `again`, `onetime` and each schedule must have.

    Raises:
        Refusal: a missing or impossible order number or amount.
    """
    merchant_uid = body.get("merchant_uid")
    if not merchant_uid or len(str(merchant_uid)) > MERCHANT_UID_LENGTH:
        raise bad_request("merchant_uid 파라메터가 올바르지 않습니다.")
    amount = number(body.get("amount"), "amount")
    if amount <= 0:
        raise Refusal("결제금액이 올바르지 않습니다.")
    currency = str(body.get("currency") or "KRW")
    if currency == "KRW" and not isinstance(amount, int):
        raise Refusal("결제금액이 올바르지 않습니다.")
    return {**body, "merchant_uid": str(merchant_uid), "amount": amount, "currency": currency}
