"""Deliveries of escrow payments: what was sent by whom, registered once and changed until it is there."""

from typing import Any

from billing.emulator.envelope import REFUSED, Refusal, not_found
from billing.emulator.form import instant, require
from billing.emulator.store import Record
from billing.emulator.world import World

UNKNOWN = "존재하지 않는 결제정보입니다."


def register_delivery(world: World, imp_uid: str, body: dict[str, Any]) -> Record:
    """Register what was sent for a paid escrow payment.

    Raises:
        Refusal: 400 for a missing part; 404; 409 when there is one already, or the payment is not of that kind.
    """
    _escrow(world, imp_uid)
    if imp_uid in world.store["deliveries"]:
        raise _conflict("이미 배송정보 등록이 완료된 거래건입니다.")
    return _kept(world, imp_uid, body)


def change_delivery(world: World, imp_uid: str, body: dict[str, Any]) -> Record:
    """Change what was registered.

    Raises:
        Refusal: as for a registration, and 409 when there is none.
    """
    find_delivery(world, imp_uid)
    return _kept(world, imp_uid, body)


def find_delivery(world: World, imp_uid: str) -> Record:
    """What was registered.

    Raises:
        Refusal: 404 for an unknown payment; 409 when nothing is registered, or nothing can be.
    """
    _escrow(world, imp_uid)
    delivery = world.store["deliveries"].get(imp_uid)
    if delivery is None:
        raise _conflict("등록된 배송정보가 존재하지 않습니다.")
    return delivery


def _escrow(world: World, imp_uid: str) -> None:
    payment = world.store["payments"].get(imp_uid)
    if payment is None:
        raise not_found(UNKNOWN)
    if not payment["escrow"] or payment["status"] != "paid":
        raise _conflict("배송정보를 등록할 수 없는 거래건입니다.")


def _kept(world: World, imp_uid: str, body: dict[str, Any]) -> Record:
    require(body, "sender", "receiver", "logis", http_status=400)
    logis = body["logis"] if isinstance(body["logis"], dict) else {}
    require(logis, "company", "invoice", "sent_at", http_status=400)
    delivery = {
        "company": str(logis["company"]),
        "invoice": str(logis["invoice"]),
        "sent_at": instant(logis["sent_at"], "sent_at"),
        "applied_at": int(world.clock.now()),
    }
    return world.store.put("deliveries", imp_uid, delivery)


def _conflict(message: str) -> Refusal:
    return Refusal(message, code=REFUSED, http_status=409)
