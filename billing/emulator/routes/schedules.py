"""/subscribe/payments/schedule, /unschedule: charges that run by themselves."""

from typing import Any

from fastapi import APIRouter, Request, Response

from billing.emulator.account import Account, AccountDep
from billing.emulator.cards import KEY_REFUSED, read_card
from billing.emulator.envelope import REFUSED, Refusal, bad_request, not_found
from billing.emulator.form import number, strings
from billing.emulator.keys import keep_key, shown
from billing.emulator.lists import page_and_limit, paged, window
from billing.emulator.routes.charges import read_order
from billing.emulator.store import Record
from billing.emulator.world import World

STATUSES = ("scheduled", "executed", "revoked")


router = APIRouter(prefix="/subscribe/payments")


@router.post("/schedule")
async def post_schedule(account: AccountDep, request: Request) -> Response:
    return await account.perform(request, "schedule", lambda body: _register(account, body))


@router.get("/schedule")
async def get_range(account: AccountDep, request: Request) -> Response:
    def work(_body: dict[str, Any]) -> dict[str, Any]:
        query = request.query_params
        start, end = window(query, "schedule_from", "schedule_to")
        page, limit = page_and_limit(query)
        rows = _between(list(account.world.store["schedules"].values()), start, end, query.get("schedule_status"))
        rows.sort(key=lambda row: row["schedule_at"], reverse=query.get("sorting") != "scheduled")
        return paged(rows, page, limit)

    return await account.perform(request, "schedule_list", work)


@router.get("/schedule/customers/{customer_uid}")
async def get_of_customer(account: AccountDep, request: Request, customer_uid: str) -> Response:
    return await account.perform(
        request, "schedule_customers", lambda _body: customer_schedules(account.world, request, customer_uid)
    )


@router.get("/schedule/{merchant_uid}")
async def get_one(account: AccountDep, request: Request, merchant_uid: str) -> Response:
    return await account.perform(request, "schedule_get", lambda _body: shown(_find(account.world, merchant_uid)))


@router.put("/schedule/{merchant_uid}")
async def put_one(account: AccountDep, request: Request, merchant_uid: str) -> Response:
    def work(body: dict[str, Any]) -> Record:
        schedule = _find(account.world, merchant_uid)
        at = int(number(body.get("schedule_at"), "schedule_at"))
        if schedule["schedule_status"] != "scheduled":
            raise bad_request("이미 실행되었거나 취소된 예약입니다.")
        return shown(book(account.world, schedule, at))

    return await account.perform(request, "schedule_put", work)


@router.post("/schedule/{merchant_uid}/reschedule")
async def post_reschedule(account: AccountDep, request: Request, merchant_uid: str) -> Response:
    def work(body: dict[str, Any]) -> Record:
        schedule = _repeatable(account.world, merchant_uid)
        return shown(book(account.world, schedule, int(number(body.get("schedule_at"), "schedule_at"))))

    return await account.perform(request, "reschedule", work)


@router.post("/schedule/{merchant_uid}/retry")
async def post_retry(account: AccountDep, request: Request, merchant_uid: str) -> Response:
    def work(_body: dict[str, Any]) -> Record:
        schedule = _repeatable(account.world, merchant_uid)
        if schedule["customer_uid"] not in account.world.store["keys"]:
            raise not_found("등록된 고객정보가 없습니다.")
        at = account.world.clock.now(schedule["customer_uid"])
        return shown(account.execution.run_schedule(schedule, at))

    return await account.perform(request, "retry", work)


@router.post("/unschedule")
async def post_unschedule(account: AccountDep, request: Request) -> Response:
    return await account.perform(request, "unschedule", lambda body: _unschedule(account.world, body))


def customer_schedules(world: World, request: Request, customer_uid: str) -> dict[str, Any]:
    """The schedules of one key, newest first; an unknown key has none, which is no error (facts.md 2.3)."""
    query = request.query_params
    names = ("from", "to") if "from" in query else ("schedule_from", "schedule_to")
    start, end = window(query, *names)
    page, _ = page_and_limit(query)
    mine = [row for row in world.store["schedules"].values() if row["customer_uid"] == customer_uid]
    rows = _between(mine, start, end, query.get("schedule-status") or query.get("schedule_status"))
    return paged(sorted(rows, key=lambda row: row["schedule_at"], reverse=True), page, 20)


def book(world: World, schedule: Record, at: int) -> Record:
    """Set a schedule to run at `at`.

    Raises:
        Refusal: 400 for an instant in the past.
    """
    if at <= world.clock.now(schedule["customer_uid"]):
        raise bad_request("예약 시각은 현재 시각 이후여야 합니다.")
    changed = {
        **schedule,
        "schedule_at": at,
        "schedule_status": "scheduled",
        "payment_status": None,
        "executed_at": 0,
        "revoked_at": 0,
    }
    world.store.put("schedules", schedule["merchant_uid"], changed)
    world.expect(schedule["customer_uid"], at, "schedule", schedule["merchant_uid"])
    return changed


def revoke(world: World, schedule: Record) -> Record:
    """Take a schedule back that has not run."""
    now = int(world.clock.now(schedule["customer_uid"]))
    changed = {**schedule, "schedule_status": "revoked", "revoked_at": now}
    return world.store.put("schedules", schedule["merchant_uid"], changed)


def _register(account: Account, body: dict[str, Any]) -> list[Record]:
    """All items are stored, or none; without a key the card issues one first."""
    world = account.world
    customer_uid, items = str(body.get("customer_uid") or ""), body.get("schedules")
    if not customer_uid or not isinstance(items, list) or not items:
        raise bad_request("customer_uid, schedules 파라메터가 누락되었습니다.")
    now = world.clock.now(customer_uid)
    orders = []
    for item in items:
        order = read_order(item)
        at = int(number(item.get("schedule_at"), "schedule_at"))
        if at <= now:
            raise Refusal("예약 시각은 현재 시각 이후여야 합니다.")
        if order["merchant_uid"] in world.store["schedules"] or world.is_paid(order["merchant_uid"]):
            raise Refusal("이미 등록된 merchant_uid입니다.")
        orders.append({**order, "schedule_at": at})
    if len({order["merchant_uid"] for order in orders}) != len(orders):
        raise Refusal("이미 등록된 merchant_uid입니다.")
    if customer_uid not in world.store["keys"]:
        if not body.get("card_number"):
            raise Refusal("등록된 고객정보가 없습니다.")
        card = read_card(body, now, sentence=KEY_REFUSED)
        if float(body.get("checking_amount") or 0) > 0 and card.last_four in ("0002", "0003", "0004"):
            raise Refusal(f"{KEY_REFUSED} [8002]테스트 결제가 승인되지 않았습니다.", code=REFUSED)
        keep_key(world, customer_uid, {**orders[0], **body}, card)
    return [shown(_keep(world, customer_uid, order)) for order in orders]


def _keep(world: World, customer_uid: str, order: Record) -> Record:
    key = world.store["keys"][customer_uid]
    schedule = {
        "customer_uid": customer_uid,
        "merchant_uid": order["merchant_uid"],
        "imp_uid": None,
        "pg_provider": key["pg_provider"],
        "pg_id": key["pg_id"],
        "customer_id": key["customer_id"],
        "schedule_at": order["schedule_at"],
        "executed_at": 0,
        "revoked_at": 0,
        "amount": order["amount"],
        "currency": order["currency"],
        "name": order.get("name"),
        "buyer_name": order.get("buyer_name") or key["customer_name"],
        "buyer_email": order.get("buyer_email") or key["customer_email"],
        "buyer_tel": order.get("buyer_tel") or key["customer_tel"],
        "buyer_addr": order.get("buyer_addr") or key["customer_addr"],
        "buyer_postcode": order.get("buyer_postcode") or key["customer_postcode"],
        "custom_data": order.get("custom_data"),
        "schedule_status": "scheduled",
        "payment_status": None,
        "fail_reason": None,
        "promotion_id": order.get("promotion_id"),
        "notice_url": order.get("notice_url"),
    }
    world.store.put("schedules", order["merchant_uid"], schedule)
    world.expect(customer_uid, order["schedule_at"], "schedule", order["merchant_uid"])
    return schedule


def _unschedule(world: World, body: dict[str, Any]) -> list[Record]:
    numbers, customer_uid = strings(body.get("merchant_uid")), body.get("customer_uid")
    if not numbers and not customer_uid:
        raise bad_request("customer_uid 또는 merchant_uid를 지정해주셔야합니다.")
    open_rows = [row for row in world.store["schedules"].values() if row["schedule_status"] == "scheduled"]
    chosen = [
        row
        for row in open_rows
        if (not numbers or row["merchant_uid"] in numbers) and (not customer_uid or row["customer_uid"] == customer_uid)
    ]
    if not chosen:
        raise Refusal("취소할 예약결제 기록이 존재하지 않습니다.")
    return [shown(revoke(world, row)) for row in chosen]


def _find(world: World, merchant_uid: str) -> Record:
    schedule = world.store["schedules"].get(merchant_uid)
    if schedule is None:
        raise not_found("존재하지 않는 예약결제 정보입니다.")
    return schedule


def _repeatable(world: World, merchant_uid: str) -> Record:
    """A schedule that failed or was revoked: the only kinds that may be run once more."""
    schedule = _find(world, merchant_uid)
    if schedule["schedule_status"] == "scheduled":
        raise bad_request("아직 실행되지 않은 예약입니다.")
    if world.is_paid(merchant_uid) or schedule["payment_status"] in ("paid", "cancelled"):
        raise bad_request("이미 승인된 예약입니다.")
    return schedule


def _between(rows: list[Record], start: int, end: int, status: str | None) -> list[Record]:
    if status is not None and status not in STATUSES:
        raise bad_request("지원되지 않는 상태값입니다.")
    return [row for row in rows if start <= row["schedule_at"] < end and status in (None, row["schedule_status"])]
