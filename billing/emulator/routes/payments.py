"""/payments: look-ups, refunds, amounts registered before a window payment (facts.md 2.8)."""

from typing import Any

from fastapi import APIRouter, Request, Response

from billing.emulator.account import TheAccount
from billing.emulator.balances import balance_of
from billing.emulator.envelope import Refusal, bad_request, done, not_found
from billing.emulator.form import listed, number
from billing.emulator.lists import page_and_limit, paged, shown
from billing.emulator.refunds import cancel
from billing.emulator.store import Record
from billing.emulator.world import World

UNKNOWN = "존재하지 않는 결제정보입니다."
UNPREPARED = "사전등록된 결제정보가 존재하지 않습니다."
STATUSES = ("ready", "paid", "cancelled", "failed")
WINDOW_SECONDS = 90 * 24 * 3600
TIMES = {"ready": "started_at", "paid": "paid_at", "cancelled": "cancelled_at", "failed": "failed_at"}
MOST_IDS = 100

router = APIRouter(prefix="/payments")


@router.get("")
async def get_many(request: Request, account: TheAccount) -> Response:
    """Payments by ids: 200 when all are found, 207 when some are, 404 when none is."""
    return await account.perform(request, "payments", lambda _body: _many(account.world, request))


@router.post("/cancel")
async def post_cancel(request: Request, account: TheAccount) -> Response:
    """Refund a payment, wholly or in part."""
    return await account.perform(request, "cancel", lambda body: shown(cancel(account, body)))


@router.get("/find/{merchant_uid}")
@router.get("/find/{merchant_uid}/{payment_status}")
async def find(request: Request, account: TheAccount, merchant_uid: str, payment_status: str | None = None) -> Response:
    """The first payment of an order number by `sorting`, or the newest with a status."""
    return await account.perform(
        request, "find", lambda _body: shown(_rows(account.world, request, merchant_uid, payment_status)[0])
    )


@router.get("/findAll/{merchant_uid}")
@router.get("/findAll/{merchant_uid}/{payment_status}")
async def find_all(
    request: Request, account: TheAccount, merchant_uid: str, payment_status: str | None = None
) -> Response:
    """Every payment of an order number."""

    def work(_body: dict[str, Any]) -> dict[str, Any]:
        page, limit = page_and_limit(request.query_params)
        return paged(_rows(account.world, request, merchant_uid, payment_status), page, limit)

    return await account.perform(request, "findAll", work)


@router.get("/status/{payment_status}")
async def by_status(request: Request, account: TheAccount, payment_status: str) -> Response:
    """Payments by status in a window of at most 90 days."""
    return await account.perform(request, "status", lambda _body: _by_status(account.world, request, payment_status))


@router.post("/prepare")
async def post_prepare(request: Request, account: TheAccount) -> Response:
    """Register the amount of a window payment beforehand."""

    def work(body: dict[str, Any]) -> Record:
        prepared = _prepared(body)
        if prepared["merchant_uid"] in account.world.store["prepared"]:
            raise Refusal("결제정보 사전등록에 실패하였습니다(이미 등록된 merchant_uid입니다).")
        return account.world.store.put("prepared", prepared["merchant_uid"], prepared)

    return await account.perform(request, "prepare", work)


@router.put("/prepare")
async def put_prepare(request: Request, account: TheAccount) -> Response:
    """Change a registered amount."""

    def work(body: dict[str, Any]) -> Record:
        prepared = _prepared(body)
        if prepared["merchant_uid"] not in account.world.store["prepared"]:
            raise not_found(UNPREPARED)
        return account.world.store.put("prepared", prepared["merchant_uid"], prepared)

    return await account.perform(request, "prepare", work)


@router.get("/prepare/{merchant_uid}")
async def get_prepared(request: Request, account: TheAccount, merchant_uid: str) -> Response:
    """A registered amount; 404 when there is none, as observed."""

    def work(_body: dict[str, Any]) -> Record:
        if merchant_uid not in account.world.store["prepared"]:
            raise not_found(UNPREPARED)
        return account.world.store["prepared"][merchant_uid]

    return await account.perform(request, "prepare_get", work)


@router.get("/{imp_uid}")
async def get_one(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """One payment; one made through a test channel only with `include_sandbox`."""

    def work(_body: dict[str, Any]) -> Record:
        payment = account.world.store["payments"].get(imp_uid)
        asked = request.query_params.get("include_sandbox")
        included = account.settings.include_sandbox_by_default if asked is None else asked.lower() == "true"
        if payment is None or (payment["sandbox"] and not included):
            raise not_found(UNKNOWN)
        return shown(payment)

    return await account.perform(request, "payments_get", work)


@router.get("/{imp_uid}/balance")
async def get_balance(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """The parts of a payment by PAYCO; of any other it is 405."""

    def work(_body: dict[str, Any]) -> Record:
        payment = account.world.store["payments"].get(imp_uid)
        if payment is None:
            raise not_found(UNKNOWN)
        if payment["pg_provider"] != "payco":
            raise Refusal("PAYCO 결제건만 조회할 수 있습니다.", http_status=405)
        return balance_of(payment)

    return await account.perform(request, "balance", work)


def _many(world: World, request: Request) -> Response:
    query = request.query_params
    imp_uids, merchant_uids = listed(query, "imp_uid"), listed(query, "merchant_uid")
    asked = len(imp_uids) + len(merchant_uids)
    if not 1 <= asked <= MOST_IDS:
        raise bad_request("imp_uid 또는 merchant_uid를 100개 이내로 지정해주셔야합니다.")
    found = [world.store["payments"][uid] for uid in imp_uids if uid in world.store["payments"]]
    found += [rows[-1] for uid in merchant_uids if (rows := world.payments_of(uid))]
    if not found:
        raise not_found(UNKNOWN)
    return done([shown(row) for row in found], http_status=200 if len(found) == asked else 207)


def _rows(world: World, request: Request, merchant_uid: str, status: str | None) -> list[Record]:
    if status is not None and status not in STATUSES:
        raise bad_request("지원되지 않는 상태값입니다.")
    rows = [row for row in world.payments_of(merchant_uid) if status in (None, row["status"])]
    if not rows:
        raise not_found(UNKNOWN)
    return _sorted(rows, request.query_params.get("sorting") or "-started")


def _sorted(rows: list[Record], sorting: str) -> list[Record]:
    axes = {"started": ("started_at",), "paid": ("paid_at",), "updated": tuple(TIMES.values())}
    axis = axes.get(sorting.removeprefix("-"))
    if axis is None:
        raise bad_request("sorting 파라메터가 올바르지 않습니다.")
    # The rows come oldest first: of two in the same second the later one is the newer.
    places = sorted(enumerate(rows), key=lambda placed: (max(placed[1][name] for name in axis), placed[0]))
    ordered = [row for _, row in places]
    return ordered[::-1] if sorting.startswith("-") else ordered


def _by_status(world: World, request: Request, status: str) -> dict[str, Any]:
    if status not in (*STATUSES, "all"):
        raise bad_request("지원되지 않는 상태값입니다.")
    query = request.query_params
    page, limit = page_and_limit(query)
    try:
        end = int(query.get("to") or world.clock.latest())
        start = int(query.get("from") or end - WINDOW_SECONDS)
    except ValueError:
        raise bad_request("from, to 파라메터가 올바르지 않습니다.") from None
    if end < start or end - start > WINDOW_SECONDS:
        raise bad_request("조회 기간은 최대 90일입니다.")
    rows = [
        row
        for row in world.payments_around(start, end)
        if status in ("all", row["status"]) and start <= row[TIMES[row["status"]]] <= end
    ]
    if page > max(1, -(-len(rows) // limit)):
        raise bad_request("page 파라메터가 올바르지 않습니다.")
    return paged(_sorted(rows, query.get("sorting") or "-started"), page, limit)


def _prepared(body: dict[str, Any]) -> Record:
    if not body.get("merchant_uid"):
        raise bad_request("merchant_uid 파라메터가 누락되었습니다.")
    return {
        "merchant_uid": str(body["merchant_uid"]),
        "amount": number(body.get("amount"), "amount"),
        "currency": body.get("currency"),
    }
