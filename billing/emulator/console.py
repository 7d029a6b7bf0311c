"""The acts of a person in PortOne's console (facts.md 3.2): the webhook of a refund is sent, as there."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from billing.emulator.account import Account
from billing.emulator.bookings import book, find_schedule, movable, repeatable, revoke
from billing.emulator.envelope import Refusal, not_found
from billing.emulator.execution import NOTHING_TO_CANCEL, balance
from billing.emulator.form import LAST_INSTANT
from billing.emulator.keys import find_key
from billing.emulator.lists import shown
from billing.emulator.store import Record


class ConsoleAct(BaseModel):
    """What a person does: `cancel` a payment (by imp_uid or merchant_uid; amount None is all of it), `retry`, `move`
    (to `schedule_at`, Unix seconds) or `revoke` the schedule of a merchant_uid, `delete_key` of a customer_uid.
    """  # noqa: D205

    model_config = ConfigDict(extra="forbid")

    act: Literal["cancel", "retry", "move", "revoke", "delete_key"]
    imp_uid: str | None = None
    merchant_uid: str | None = None
    customer_uid: str | None = None
    amount: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    schedule_at: int | None = Field(default=None, ge=0, le=LAST_INSTANT)


def act_in_console(account: Account, act: ConsoleAct) -> Record:
    """Do it; answers the payment, the schedule or the key as it is now.

    Raises:
        Refusal: the thing does not exist, or is in no state for that act.
    """
    world = account.world
    if act.act == "delete_key":
        key = find_key(world, act.customer_uid or "")
        world.store.drop("keys", key["customer_uid"])
        return shown(key)
    if act.act == "cancel":
        return shown(_cancel(account, act))
    merchant_uid = act.merchant_uid or ""
    if act.act == "revoke":
        return shown(revoke(world, movable(world, merchant_uid)))
    if act.act == "move":
        waiting = find_schedule(world, merchant_uid)["schedule_status"] == "scheduled"
        schedule = movable(world, merchant_uid) if waiting else repeatable(world, merchant_uid)
        return shown(book(world, schedule, act.schedule_at or 0))
    schedule = repeatable(world, merchant_uid)
    return shown(account.execution.run_schedule(schedule, world.clock.now(schedule["customer_uid"]), path="console"))


def _cancel(account: Account, act: ConsoleAct) -> Record:
    rows = account.world.payments_of(act.merchant_uid or "")
    payment = account.world.store["payments"].get(act.imp_uid or "") or next(
        (row for row in reversed(rows) if row["status"] in ("paid", "cancelled")), None
    )
    if payment is None:
        raise not_found(NOTHING_TO_CANCEL)
    left = balance(payment)
    if act.amount is not None and act.amount > left:
        raise Refusal("취소 요청 금액이 취소 가능 금액보다 큽니다.")
    at = account.world.clock.now(payment["customer_uid"])
    amount = int(act.amount) if act.amount is not None and act.amount.is_integer() else act.amount
    return account.execution.refund(payment, amount, "console", at, notify=True)
