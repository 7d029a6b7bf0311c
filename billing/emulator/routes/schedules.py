"""/subscribe/payments/schedule and /unschedule: charges that run by themselves (facts.md 2.6, 2.7)."""

from typing import Any

from fastapi import APIRouter, Request, Response

from billing.emulator.account import TheAccount
from billing.emulator.bookings import book, find_schedule, movable, register, repeatable, unschedule
from billing.emulator.envelope import bad_request, not_found
from billing.emulator.form import instant
from billing.emulator.lists import page_and_limit, paged, shown, window
from billing.emulator.routes.charges import told
from billing.emulator.store import Record
from billing.emulator.world import World

STATUSES = ("scheduled", "executed", "revoked")

router = APIRouter(prefix="/subscribe/payments")


@router.post("/schedule")
async def post_schedule(request: Request, account: TheAccount) -> Response:
    """Register charges of a key, or of a card whose key is issued first."""
    return await account.perform(request, "schedule", lambda body: register(account.world, body))


@router.get("/schedule")
async def get_range(request: Request, account: TheAccount) -> Response:
    """Schedules by range, newest first, or oldest first with `sorting=scheduled`."""

    def work(_body: dict[str, Any]) -> Any:
        query = request.query_params
        start, end = window(query, "schedule_from", "schedule_to")
        page, limit = page_and_limit(query)
        rows = _between(account.world.schedules_between(start, end), start, end, query.get("schedule_status"))
        rows.sort(key=lambda row: row["schedule_at"], reverse=query.get("sorting") != "scheduled")
        return _listed(account.world, paged(rows, page, limit))

    return await account.perform(request, "schedule_list", work)


@router.get("/schedule/customers/{customer_uid}")
async def get_of_customer(request: Request, account: TheAccount, customer_uid: str) -> Response:
    """The schedules of a key."""
    return await account.perform(
        request, "schedule_customers", lambda _body: customer_schedules(account.world, request, customer_uid)
    )


@router.get("/schedule/{merchant_uid}")
async def get_one(request: Request, account: TheAccount, merchant_uid: str) -> Response:
    """One schedule."""
    return await account.perform(
        request, "schedule_get", lambda _body: shown(find_schedule(account.world, merchant_uid))
    )


@router.put("/schedule/{merchant_uid}")
async def put_one(request: Request, account: TheAccount, merchant_uid: str) -> Response:
    """Change the time of a schedule that has not run."""

    def work(body: dict[str, Any]) -> Record:
        at = instant(body.get("schedule_at"), "schedule_at")
        return shown(book(account.world, movable(account.world, merchant_uid), at))

    return await account.perform(request, "schedule_put", work)


@router.post("/schedule/{merchant_uid}/reschedule")
async def post_reschedule(request: Request, account: TheAccount, merchant_uid: str) -> Response:
    """Book a failed or revoked schedule anew."""

    def work(body: dict[str, Any]) -> Record:
        at = instant(body.get("schedule_at"), "schedule_at")
        return shown(book(account.world, repeatable(account.world, merchant_uid), at))

    return await account.perform(request, "reschedule", work)


@router.post("/schedule/{merchant_uid}/retry")
async def post_retry(request: Request, account: TheAccount, merchant_uid: str) -> Response:
    """Run a failed or revoked schedule at once; answers the payment, paid or failed."""

    def work(_body: dict[str, Any]) -> Response:
        schedule = repeatable(account.world, merchant_uid)
        if schedule["customer_uid"] not in account.world.store["keys"]:
            raise not_found("등록된 고객정보가 없습니다.")
        at = account.world.clock.now(schedule["customer_uid"])
        return told(account, account.execution.run_schedule(schedule, at, path="retry"))

    return await account.perform(request, "retry", work)


@router.post("/unschedule")
async def post_unschedule(request: Request, account: TheAccount) -> Response:
    """Take schedules back."""
    return await account.perform(request, "unschedule", lambda body: unschedule(account.world, body))


def customer_schedules(world: World, request: Request, customer_uid: str) -> Any:
    """The schedules of one key, newest first; an unknown key has none, which is no error (facts.md 2.3)."""
    query = request.query_params
    names = ("from", "to") if "from" in query else ("schedule_from", "schedule_to")
    start, end = window(query, *names)
    page, _ = page_and_limit(query)
    status = query.get("schedule-status") or query.get("schedule_status")
    rows = _between(world.schedules_by(customer_uid), start, end, status)
    return _listed(world, paged(sorted(rows, key=lambda row: row["schedule_at"], reverse=True), page, 20))


def _listed(world: World, page: dict[str, Any]) -> Any:
    return page if world.settings.schedule_lists == "paged" else page["list"]


def _between(rows: list[Record], start: int, end: int, status: str | None) -> list[Record]:
    if status is not None and status not in STATUSES:
        raise bad_request("지원되지 않는 상태값입니다.")
    return [row for row in rows if start <= row["schedule_at"] < end and status in (None, row["schedule_status"])]
