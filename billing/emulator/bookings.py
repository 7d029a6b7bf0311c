"""Schedules: registered, set to another time, taken back, run by hand (facts.md 2.6, 2.7, 3.1)."""

from typing import Any

from billing.emulator.cards import KEY_REFUSED, read_card
from billing.emulator.channels import channel_of
from billing.emulator.envelope import REFUSED, Refusal, bad_request, not_found
from billing.emulator.form import instant, number, objects, strings
from billing.emulator.keys import keep_key
from billing.emulator.lists import shown
from billing.emulator.orders import read_order
from billing.emulator.pgs import moves, require_fields, require_offer, require_order
from billing.emulator.refusals import DECLINES, refusal_of
from billing.emulator.smart_routing import at_channel
from billing.emulator.store import Record
from billing.emulator.world import World

PAST = "예약 시각은 현재 시각 이후여야 합니다."
TAKEN = "이미 등록된 merchant_uid입니다."


def register(world: World, body: dict[str, Any]) -> list[Record]:
    """POST schedule: all items are stored, or none; for an unknown key the card issues one first.

    Raises:
        Refusal: a missing part, an instant in the past, a used order number, no key and no card, a refused card.
    """
    customer_uid = str(body.get("customer_uid") or "")
    if not customer_uid:
        raise bad_request("customer_uid, schedules 파라메터가 누락되었습니다.")
    now = world.clock.now(customer_uid)
    orders: dict[str, Record] = {}
    items: dict[str, Record] = {}
    for item in objects(body.get("schedules"), "customer_uid, schedules"):
        order = {**read_order(item), "schedule_at": instant(item.get("schedule_at"), "schedule_at")}
        merchant_uid = order["merchant_uid"]
        if order["schedule_at"] <= now and world.settings.past_schedule == "refuse":
            raise Refusal(PAST)
        if merchant_uid in world.store["schedules"] or merchant_uid in orders or world.is_paid(merchant_uid):
            raise Refusal(TAKEN)
        orders[merchant_uid] = order
        items[merchant_uid] = item
    if customer_uid not in world.store["keys"]:
        _issue(world, customer_uid, body, next(iter(orders.values())), now)
    key = world.store["keys"][customer_uid]
    for merchant_uid, order in orders.items():
        _require_of_pg(world, key, order, items[merchant_uid])
    return [
        shown(world.keep_schedule(_schedule(world.store["keys"][customer_uid], order, world.not_yet)))
        for order in orders.values()
    ]


def book(world: World, schedule: Record, at: int) -> Record:
    """Set a schedule to run at `at`.

    Raises:
        Refusal: 400 for an instant in the past.
    """
    if at <= world.clock.now(schedule["customer_uid"]):
        raise bad_request(PAST)
    return world.keep_schedule(
        {
            **schedule,
            "schedule_at": at,
            "schedule_status": "scheduled",
            "payment_status": None,
            "imp_uid": None,
            "executed_at": world.not_yet,
            "revoked_at": world.not_yet,
            "fail_reason": None,
        }
    )


def revoke(world: World, schedule: Record) -> Record:
    """Take a schedule back that has not run."""
    now = int(world.clock.now(schedule["customer_uid"]))
    changed = {**schedule, "schedule_status": "revoked", "revoked_at": now}
    return world.store.put("schedules", schedule["merchant_uid"], changed)


def unschedule(world: World, body: dict[str, Any]) -> list[Record]:
    """POST unschedule: the order numbers given, of the key given; a key alone means all that is open.

    Raises:
        Refusal: neither is given, or nothing is open.
    """
    numbers, customer_uid = strings(body.get("merchant_uid")), body.get("customer_uid")
    if not numbers and not customer_uid:
        raise bad_request("customer_uid 또는 merchant_uid를 지정해주셔야합니다.")
    schedules = world.store["schedules"]
    rows = [schedules[uid] for uid in dict.fromkeys(numbers) if uid in schedules]
    if not numbers:
        rows = world.schedules_by(str(customer_uid))
    chosen = [
        row
        for row in rows
        if row["schedule_status"] == "scheduled" and (not customer_uid or row["customer_uid"] == customer_uid)
    ]
    if not chosen:
        raise Refusal("취소할 예약결제 기록이 존재하지 않습니다.")
    return [shown(revoke(world, row)) for row in chosen]


def find_schedule(world: World, merchant_uid: str) -> Record:
    """The schedule of an order number.

    Raises:
        Refusal: 404.
    """
    schedule = world.store["schedules"].get(merchant_uid)
    if schedule is None:
        raise not_found("존재하지 않는 예약결제 정보입니다.")
    return schedule


def movable(world: World, merchant_uid: str) -> Record:
    """A schedule that has not run: the only kind whose time PUT may change.

    Raises:
        Refusal: 404, or 400 for one that was run or taken back.
    """
    schedule = _changeable(world, merchant_uid)
    if schedule["schedule_status"] != "scheduled":
        raise bad_request("이미 실행되었거나 취소된 예약입니다.")
    return schedule


def repeatable(world: World, merchant_uid: str) -> Record:
    """A schedule that failed or was revoked: the only kinds that may be run once more.

    Raises:
        Refusal: 404, or 400 for one that has not run or was approved.
    """
    schedule = _changeable(world, merchant_uid)
    if schedule["schedule_status"] == "scheduled":
        raise bad_request("아직 실행되지 않은 예약입니다.")
    if world.is_paid(merchant_uid):
        raise bad_request("이미 승인된 예약입니다.")
    return schedule


def _changeable(world: World, merchant_uid: str) -> Record:
    schedule = find_schedule(world, merchant_uid)
    if not moves(world, schedule["pg_provider"]):
        raise Refusal("지원되지 않는 PG사입니다.", code=REFUSED, http_status=500)
    return schedule


def _issue(world: World, customer_uid: str, body: dict[str, Any], order: Record, now: float) -> None:
    if not body.get("card_number"):
        raise Refusal("등록된 고객정보가 없습니다.")
    provider = channel_of(body)[0]
    require_offer(world, provider, "rest_key")
    require_fields(
        world, provider, "issue", {**{f"customer_{k[6:]}": v for k, v in order.items() if k[:6] == "buyer_"}, **body}
    )
    card = read_card(body, now, sentence=KEY_REFUSED)
    # A test charge is cancelled at once, so that nothing of it stays in the books.
    checked = number(body.get("checking_amount") or 0, "checking_amount") > 0
    if checked and card.last_four in DECLINES:
        raise Refusal(f"{KEY_REFUSED} {refusal_of(card.provider, card.last_four)}", code=REFUSED)
    keep_key(world, customer_uid, {**order, **body}, card)


def _require_of_pg(world: World, key: Record, order: Record, item: Record) -> None:
    """What the PG wants of a schedule; what its order leaves out is the key's."""
    provider = at_channel(key, order["channel_key"])["pg_provider"]
    require_offer(world, provider, "schedule")
    of_key = {
        name: key.get(f"customer_{name.removeprefix('buyer_')}") for name in ("buyer_name", "buyer_email", "buyer_tel")
    }
    require_fields(world, provider, "schedule", {**of_key, **{k: v for k, v in item.items() if v is not None}})
    require_order(world, provider, order)


def _schedule(key: Record, order: Record, not_yet: int | None) -> Record:
    buyer = {
        f"buyer_{name}": order[f"buyer_{name}"] or key[f"customer_{name}"]
        for name in ("name", "email", "tel", "addr", "postcode")
    }
    return {
        "customer_uid": key["customer_uid"],
        "merchant_uid": order["merchant_uid"],
        "imp_uid": None,
        "pg_provider": key["pg_provider"],
        "pg_id": key["pg_id"],
        "customer_id": key["customer_id"],
        "schedule_at": order["schedule_at"],
        "executed_at": not_yet,
        "revoked_at": not_yet,
        "amount": order["amount"],
        "currency": order["currency"],
        "name": order["name"],
        **buyer,
        "custom_data": order["custom_data"],
        "schedule_status": "scheduled",
        "payment_status": None,
        "fail_reason": None,
        "promotion_id": order["promotion_id"],
        **{name: order[name] for name in ("notice_url", "channel_key", "tax_free", "vat_amount")},
        "installments": order["card_quota"],
    }
