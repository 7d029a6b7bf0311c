"""POST /subscribe/payments/onetime and /again: charges that happen at once (facts.md 2.4, 2.5)."""

from typing import Any

from fastapi import APIRouter, Request, Response

from billing.emulator.account import Account, TheAccount
from billing.emulator.cards import CARD_REFUSED, read_card
from billing.emulator.channels import channel_of
from billing.emulator.envelope import REFUSED, LostAnswer, Refusal, done, refused
from billing.emulator.execution import SCHEDULED
from billing.emulator.form import require
from billing.emulator.keys import keep_key
from billing.emulator.lists import shown
from billing.emulator.orders import read_order
from billing.emulator.pgs import require_fields, require_key_in, require_offer, require_order
from billing.emulator.smart_routing import at_channel, channels_of, group_of
from billing.emulator.store import Record

PAID_ALREADY = "이미 결제가 이루어진 merchant_uid입니다."

router = APIRouter(prefix="/subscribe/payments")


@router.post("/onetime")
@router.post("/foreign", include_in_schema=False)
async def onetime(request: Request, account: TheAccount) -> Response:
    """Charge a card typed in; with a customer_uid, its key is kept when the charge succeeds.

    `foreign` is in no schema: PortOne's own Python client still sends foreign cards there.
    """
    return await account.perform(request, "onetime", lambda body: _onetime(account, request, body))


@router.post("/again")
async def again(request: Request, account: TheAccount) -> Response:
    """Charge a billing key."""

    def work(body: dict[str, Any]) -> Response:
        order = {**read_order(body), "user_agent": request.headers.get("user-agent")}
        require(body, "customer_uid", *(["name"] if account.settings.require_name else []))
        key = account.world.store["keys"].get(str(body.get("customer_uid")))
        if key is None:
            raise Refusal("등록되지 않은 구매자입니다.", code=int(account.settings.unknown_customer_on_again))
        if account.settings.refuse_duplicate_again and account.world.is_paid(order["merchant_uid"]):
            raise Refusal(PAID_ALREADY)
        at = account.world.clock.now(key["customer_uid"])
        card = at_channel(key, order["channel_key"])
        require_offer(account.world, card["pg_provider"], "again")
        require_fields(account.world, card["pg_provider"], "again", body)
        require_order(account.world, card["pg_provider"], order)
        return told(account, account.execution.attempt(order, card, at, usage="payment", path="again"))

    return await account.perform(request, "again", work)


def told(account: Account, payment: Record) -> Response:
    """What the caller of a charge is told: the payment, a decline (code -1), or nothing at all.

    A schedule run by hand answers the failed payment itself: its caller reads the status (facts.md 2.7).
    """
    if account.execution.loses_answer(payment):
        return LostAnswer()
    refuses = account.settings.declined_charge == "refused" and payment["customer_uid_usage"] != SCHEDULED
    if payment["status"] == "failed" and refuses:
        return refused(Refusal(payment["fail_reason"], code=REFUSED))
    return done(shown(payment))


def _onetime(account: Account, request: Request, body: dict[str, Any]) -> Response:
    world = account.world
    require(body, "card_number", "expiry")
    order = {**read_order(body), "user_agent": request.headers.get("user-agent")}
    if world.is_paid(order["merchant_uid"]):
        raise Refusal(PAID_ALREADY)
    customer_uid = order["customer_uid"]
    at = world.clock.now(customer_uid)
    group = group_of(body)
    provider, pg_id = channels_of(group)[0] if group else channel_of(body)
    require_key_in(world, provider, body, order)
    card = read_card(body, at, sentence=CARD_REFUSED, provider=provider)
    used = {**card.told(), "pg_provider": provider, "pg_id": pg_id}
    payment = account.execution.attempt(order, used, at, usage="issue" if customer_uid else None, path="onetime")
    if customer_uid and payment["status"] == "paid":
        keep_key(world, customer_uid, body, card, fresh=False)
    return told(account, payment)
