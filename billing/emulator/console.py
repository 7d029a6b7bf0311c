"""The acts of a person in PortOne's console (facts.md 3.2), and what else nobody here ordered.

The webhooks are the console's: of a refund, of a schedule that ran whatever it came to, of a payment and of a late
approval; none when a schedule is registered, moved or revoked, or a key deleted (facts.md 3.3).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from billing.emulator.account import Account
from billing.emulator.bookings import book, find_schedule, movable, register, repeatable, revoke
from billing.emulator.envelope import Refusal, not_found
from billing.emulator.execution import NOTHING_TO_CANCEL, balance
from billing.emulator.form import LAST_INSTANT, number
from billing.emulator.keys import delete_key, find_key
from billing.emulator.lists import shown
from billing.emulator.orders import read_order
from billing.emulator.recovery import switch_recovery
from billing.emulator.store import Record

NOTHING_WAITS = "입금을 기다리는 가상계좌가 존재하지 않습니다."
NOTHING_FAILED = "승인할 수 있는 실패한 결제건이 존재하지 않습니다."


class ConsoleAct(BaseModel):
    """What a person does, and to what.

    `cancel` a payment (by imp_uid or merchant_uid; amount None is all that is left). Of the schedule of a merchant_uid:
    `execute` it now although its time has not come, `retry` it now after it failed or was revoked, `move` it to
    `schedule_at` (Unix seconds), `revoke` it. `register` a schedule, `pay` now with a key: customer_uid, merchant_uid,
    amount, and `pay` succeeds under an order number that is paid, too. `approve_late` a failed payment, `deposit` into
    a virtual account (both by imp_uid or merchant_uid). `delete_key` of a customer_uid. `recovery` every day at `hour`,
    or never without one.
    """

    model_config = ConfigDict(extra="forbid")

    act: Literal[
        "cancel",
        "execute",
        "retry",
        "move",
        "revoke",
        "register",
        "pay",
        "approve_late",
        "deposit",
        "delete_key",
        "recovery",
    ]
    imp_uid: str | None = None
    merchant_uid: str | None = None
    customer_uid: str | None = None
    amount: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    currency: str = Field(default="KRW", pattern=r"^[A-Z]{3}$")
    name: str = "콘솔에서 등록"
    schedule_at: int | None = Field(default=None, ge=0, le=LAST_INSTANT)
    hour: int | None = Field(default=None, ge=1, le=23)


def act_in_console(account: Account, act: ConsoleAct) -> Record:
    """Do it; answers the payment, the schedule or the key as it is now, or what Recovery waits for.

    Raises:
        Refusal: the thing does not exist, or is in no state for that act.
    """
    return shown(_ACTS[act.act](account, act))


def _cancel(account: Account, act: ConsoleAct) -> Record:
    rows = account.world.payments_of(act.merchant_uid or "")
    payment = account.world.store["payments"].get(act.imp_uid or "") or next(
        (row for row in reversed(rows) if row["paid_at"]), None
    )
    if payment is None:
        raise not_found(NOTHING_TO_CANCEL)
    left = balance(payment)
    if act.amount is not None and act.amount > left:
        raise Refusal("취소 요청 금액이 취소 가능 금액보다 큽니다.")
    at = account.world.clock.now(payment["customer_uid"])
    amount = None if act.amount is None else number(act.amount, "amount")
    return account.execution.refund(payment, amount, "console", at, notify=True)


def _execute(account: Account, act: ConsoleAct) -> Record:
    return _run(account, movable(account.world, act.merchant_uid or ""))


def _retry(account: Account, act: ConsoleAct) -> Record:
    return _run(account, repeatable(account.world, act.merchant_uid or ""))


def _run(account: Account, schedule: Record) -> Record:
    return account.execution.run_schedule(schedule, account.world.clock.now(schedule["customer_uid"]), path="console")


def _move(account: Account, act: ConsoleAct) -> Record:
    world, merchant_uid = account.world, act.merchant_uid or ""
    waiting = find_schedule(world, merchant_uid)["schedule_status"] == "scheduled"
    schedule = movable(world, merchant_uid) if waiting else repeatable(world, merchant_uid)
    return book(world, schedule, act.schedule_at or 0)


def _revoke(account: Account, act: ConsoleAct) -> Record:
    return revoke(account.world, movable(account.world, act.merchant_uid or ""))


def _register(account: Account, act: ConsoleAct) -> Record:
    key = find_key(account.world, act.customer_uid or "")
    body = {"customer_uid": key["customer_uid"], "schedules": [{**_order(act), "schedule_at": act.schedule_at}]}
    return register(account.world, body)[0]


def _pay(account: Account, act: ConsoleAct) -> Record:
    key = find_key(account.world, act.customer_uid or "")
    order = read_order({**_order(act), "customer_uid": key["customer_uid"]})
    # A second approval of an order is told where the first one was.
    former = next(reversed(account.world.payments_of(order["merchant_uid"])), {})
    order["notice_url"] = former.get("notice_url")
    at = account.world.clock.now(key["customer_uid"])
    return account.execution.attempt(order, key, at, usage="payment", path="console")


def _approve_late(account: Account, act: ConsoleAct) -> Record:
    rows = account.world.payments_of(act.merchant_uid or "")
    named = account.world.store["payments"].get(act.imp_uid or "")
    failed = [row for row in ([named] if named else rows) if row["status"] == "failed"]
    if not failed or account.world.is_paid(failed[-1]["merchant_uid"]):
        raise not_found(NOTHING_FAILED)
    at = account.world.clock.now(failed[-1]["customer_uid"])
    return account.execution.approve_late(failed[-1]["imp_uid"], at)


def _deposit(account: Account, act: ConsoleAct) -> Record:
    rows = account.world.payments_of(act.merchant_uid or "")
    named = account.world.store["payments"].get(act.imp_uid or "")
    waiting = [row for row in ([named] if named else rows) if row["status"] == "ready"]
    if not waiting:
        raise not_found(NOTHING_WAITS)
    return account.execution.deposit(waiting[-1], account.world.clock.now())


def _delete_key(account: Account, act: ConsoleAct) -> Record:
    return delete_key(account.world, act.customer_uid or "")


def _recovery(account: Account, act: ConsoleAct) -> Record:
    return switch_recovery(account.world, act.hour)


_ACTS: Mapping[str, Callable[[Account, ConsoleAct], Record]] = MappingProxyType(
    {
        "cancel": _cancel,
        "execute": _execute,
        "retry": _retry,
        "move": _move,
        "revoke": _revoke,
        "register": _register,
        "pay": _pay,
        "approve_late": _approve_late,
        "deposit": _deposit,
        "delete_key": _delete_key,
        "recovery": _recovery,
    }
)


def _order(act: ConsoleAct) -> dict[str, Any]:
    return {
        "merchant_uid": act.merchant_uid,
        "amount": act.amount,
        "currency": act.currency,
        "name": act.name,
    }
