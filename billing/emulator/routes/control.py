"""/emulator: the clock, the faults, the books, the webhooks, and the acts of a person in PortOne's console."""

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict

from billing.emulator.account import Account, AccountDep
from billing.emulator.cards import KEY_REFUSED, read_card
from billing.emulator.envelope import Refusal
from billing.emulator.faults import Fault
from billing.emulator.keys import keep_key, shown
from billing.emulator.routes.schedules import book, revoke
from billing.emulator.store import Record


class Advance(BaseModel):
    """How far a clock is moved: by seconds, or to an instant; everybody's, or one customer_uid's own."""

    model_config = ConfigDict(extra="forbid")

    advance_seconds: float | None = None
    to: datetime | None = None
    customer_uid: str | None = None


class ConsoleAct(BaseModel):
    """What a person does in PortOne's console."""

    model_config = ConfigDict(extra="forbid")

    act: Literal["cancel", "retry", "move", "revoke", "delete_key"]
    imp_uid: str | None = None
    merchant_uid: str | None = None
    customer_uid: str | None = None
    amount: int | None = None
    schedule_at: int | None = None


class WindowKey(BaseModel):
    """A key issued in the payment window, where the card never passes the merchant's server."""

    customer_uid: str
    card_number: str
    expiry: str = "2099-12"
    pg: str | None = None
    buyer_name: str | None = None


router = APIRouter(prefix="/emulator")


@router.get("/clock")
async def get_clock(account: AccountDep, customer_uid: str | None = None) -> dict[str, object]:
    return account.timeline.describe(customer_uid)


@router.post("/clock")
async def post_clock(account: AccountDep, order: Advance) -> dict[str, object]:
    if (order.advance_seconds is None) == (order.to is None):
        raise HTTPException(422, "give advance_seconds or to")
    seconds = order.advance_seconds
    if order.to is not None:
        if order.to.tzinfo is None:
            raise HTTPException(422, "to needs a time zone")
        seconds = order.to.timestamp() - account.world.clock.now(order.customer_uid)
    executed = await account.timeline.advance(max(0.0, seconds or 0.0), order.customer_uid)
    return {**account.timeline.describe(order.customer_uid), "executed": executed}


@router.get("/faults")
async def get_faults(account: AccountDep) -> list[Record]:
    return account.faults.all()


@router.post("/faults", status_code=201)
async def post_fault(account: AccountDep, fault: Fault) -> Record:
    with account.world.store.writing():
        return account.faults.add(fault)


@router.delete("/faults")
async def delete_faults(account: AccountDep) -> dict[str, bool]:
    with account.world.store.writing():
        account.faults.clear()
    return {"cleared": True}


@router.get("/books")
async def get_books(
    account: AccountDep, customer_uid: str | None = None, merchant_uid: str | None = None
) -> dict[str, Any]:
    return books(account, customer_uid, merchant_uid)


@router.get("/webhooks")
async def get_webhooks(account: AccountDep, merchant_uid: str | None = None) -> list[Record]:
    hooks = account.world.store["webhooks"].values()
    return [hook for hook in hooks if merchant_uid in (None, hook["body"]["merchant_uid"])]


@router.post("/console")
async def post_console(account: AccountDep, act: ConsoleAct) -> Any:
    try:
        with account.world.store.writing():
            answer = _act(account, act)
    except (Refusal, KeyError) as error:
        raise HTTPException(404, str(error)) from None
    account.timeline.touch()
    return answer


@router.post("/window/billing-key", status_code=201)
async def post_window_key(account: AccountDep, window: WindowKey) -> Record:
    account.world = account.world
    body = window.model_dump()
    try:
        card = read_card(body, account.world.clock.now(window.customer_uid), sentence=KEY_REFUSED)
    except Refusal as refusal:
        raise HTTPException(402, refusal.message) from None
    with account.world.store.writing():
        return shown(keep_key(account.world, window.customer_uid, body, card))


def books(account: Account, customer_uid: str | None, merchant_uid: str | None) -> dict[str, Any]:
    """Everything that was charged, whatever anybody was told of it."""
    charges = [
        {
            "imp_uid": row["imp_uid"],
            "merchant_uid": row["merchant_uid"],
            "customer_uid": row["customer_uid"],
            "amount": row["amount"],
            "currency": row["currency"],
            "status": row["status"],
            "cancelled_amount": row["cancel_amount"],
            "paid_at": row["paid_at"],
            "schedule": row["customer_uid_usage"] == "payment.scheduled",
        }
        for row in account.world.store["payments"].values()
        if row["status"] in ("paid", "cancelled")
        and customer_uid in (None, row["customer_uid"])
        and merchant_uid in (None, row["merchant_uid"])
    ]
    numbers = [charge["merchant_uid"] for charge in charges]
    totals = {
        "charges": len(charges),
        "amount": sum(charge["amount"] for charge in charges),
        "refunded": sum(charge["cancelled_amount"] for charge in charges),
        "charged_twice": sorted({number for number in numbers if numbers.count(number) > 1}),
    }
    return {"charges": charges, "totals": totals}


def _act(account: Account, act: ConsoleAct) -> Any:
    world = account.world
    if act.act == "delete_key":
        key = world.store["keys"][act.customer_uid or ""]
        world.store.drop("keys", key["customer_uid"])
        return shown(key)
    if act.act == "cancel":
        payment = world.store["payments"][act.imp_uid or world.by_order[act.merchant_uid or ""][-1]]
        at = world.clock.now(payment["customer_uid"])
        return shown(account.execution.refund(payment, act.amount, "console", at, notify=True))
    schedule = world.store["schedules"][act.merchant_uid or ""]
    if act.act == "revoke":
        return shown(revoke(world, schedule))
    if act.act == "move":
        return shown(book(world, schedule, act.schedule_at or 0))
    return shown(account.execution.run_schedule(schedule, world.clock.now(schedule["customer_uid"])))
