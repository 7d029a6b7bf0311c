"""The acts of a person in PortOne's console (facts.md 3.2), and what else nobody here ordered.

The webhooks are the console's: of a refund, of a schedule that ran whatever it came to, of a payment and of a late
approval; none when a schedule is registered, moved or revoked, or a key deleted (facts.md 3.3).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from billing.emulator.bookings import book, find_schedule, movable, register, repeatable, revoke
from billing.emulator.console_acts import ConsoleAct
from billing.emulator.envelope import Refusal, not_found
from billing.emulator.execution import NOTHING_TO_CANCEL, Execution, balance
from billing.emulator.form import number
from billing.emulator.keys import delete_key, find_key
from billing.emulator.lists import shown
from billing.emulator.orders import read_order
from billing.emulator.recovery import switch_recovery
from billing.emulator.store import Record
from billing.emulator.world import World

NOTHING_WAITS = "입금을 기다리는 가상계좌가 존재하지 않습니다."
NOTHING_FAILED = "승인할 수 있는 실패한 결제건이 존재하지 않습니다."


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a person works: the account's world, and what is executed in it."""

    world: World
    execution: Execution


def act_in_console(desk: Desk, act: ConsoleAct) -> Record:
    """Do it; answers the payment, the schedule or the key as it is now, or what Recovery waits for.

    Raises:
        Refusal: the thing does not exist, or is in no state for that act.
    """
    return shown(_ACTS[act.act](desk, act))


def _cancel(desk: Desk, act: ConsoleAct) -> Record:
    rows = desk.world.payments_of(act.merchant_uid or "")
    payment = desk.world.store["payments"].get(act.imp_uid or "") or next(
        (row for row in reversed(rows) if row["paid_at"]), None
    )
    if payment is None:
        raise not_found(NOTHING_TO_CANCEL)
    left = balance(payment)
    if act.amount is not None and act.amount > left:
        raise Refusal("취소 요청 금액이 취소 가능 금액보다 큽니다.")
    at = desk.world.clock.now(payment["customer_uid"])
    amount = None if act.amount is None else number(act.amount, "amount")
    return desk.execution.refund(payment, amount, "console", at, notify=True)


def _execute(desk: Desk, act: ConsoleAct) -> Record:
    return _run(desk, movable(desk.world, act.merchant_uid or ""))


def _retry(desk: Desk, act: ConsoleAct) -> Record:
    return _run(desk, repeatable(desk.world, act.merchant_uid or ""))


def _run(desk: Desk, schedule: Record) -> Record:
    return desk.execution.run_schedule(schedule, desk.world.clock.now(schedule["customer_uid"]), path="console")


def _move(desk: Desk, act: ConsoleAct) -> Record:
    world, merchant_uid = desk.world, act.merchant_uid or ""
    found = find_schedule(world, merchant_uid)
    waiting = found["schedule_status"] == "scheduled"
    schedule = movable(world, merchant_uid) if waiting else repeatable(world, merchant_uid)
    at = int(found["schedule_at"] + act.by_seconds) if act.by_seconds is not None else act.schedule_at or 0
    return book(world, schedule, at)


def _revoke(desk: Desk, act: ConsoleAct) -> Record:
    return revoke(desk.world, movable(desk.world, act.merchant_uid or ""))


def _register(desk: Desk, act: ConsoleAct) -> Record:
    key = find_key(desk.world, act.customer_uid or "")
    body = {"customer_uid": key["customer_uid"], "schedules": [{**_order(act), "schedule_at": act.schedule_at}]}
    return register(desk.world, body)[0]


def _pay(desk: Desk, act: ConsoleAct) -> Record:
    key = find_key(desk.world, act.customer_uid or "")
    order = read_order({**_order(act), "customer_uid": key["customer_uid"]})
    # A second approval of an order is told where the first one was.
    former = next(reversed(desk.world.payments_of(order["merchant_uid"])), {})
    order["notice_url"] = former.get("notice_url")
    at = desk.world.clock.now(key["customer_uid"])
    return desk.execution.attempt(order, key, at, usage="payment", path="console")


def _approve_late(desk: Desk, act: ConsoleAct) -> Record:
    rows = desk.world.payments_of(act.merchant_uid or "")
    named = desk.world.store["payments"].get(act.imp_uid or "")
    failed = [row for row in ([named] if named else rows) if row["status"] == "failed"]
    if not failed or desk.world.is_paid(failed[-1]["merchant_uid"]):
        raise not_found(NOTHING_FAILED)
    at = desk.world.clock.now(failed[-1]["customer_uid"])
    return desk.execution.approve_late(failed[-1]["imp_uid"], at)


def _deposit(desk: Desk, act: ConsoleAct) -> Record:
    rows = desk.world.payments_of(act.merchant_uid or "")
    named = desk.world.store["payments"].get(act.imp_uid or "")
    waiting = [row for row in ([named] if named else rows) if row["status"] == "ready"]
    if not waiting:
        raise not_found(NOTHING_WAITS)
    return desk.execution.deposit(waiting[-1], desk.world.clock.now())


def _delete_key(desk: Desk, act: ConsoleAct) -> Record:
    return delete_key(desk.world, act.customer_uid or "")


def _recovery(desk: Desk, act: ConsoleAct) -> Record:
    return switch_recovery(desk.world, act.hour)


_ACTS: Mapping[str, Callable[[Desk, ConsoleAct], Record]] = MappingProxyType(
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
