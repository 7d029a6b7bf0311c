"""/subscribe/customers: billing keys (facts.md 2.3)."""

from typing import Any

from fastapi import APIRouter, Request, Response

from billing.emulator.account import TheAccount
from billing.emulator.envelope import bad_request, done, not_found
from billing.emulator.form import listed
from billing.emulator.keys import delete_key, find_key, issue_key
from billing.emulator.lists import page_and_limit, paged, shown
from billing.emulator.pgs import require_fields
from billing.emulator.routes.schedules import customer_schedules
from billing.emulator.store import Record

router = APIRouter(prefix="/subscribe/customers")


@router.get("")
async def get_many(request: Request, account: TheAccount) -> Response:
    """Keys by customer_uid[]: 200 when all are found, 207 when some are, 404 when none is."""

    def work(_body: dict[str, Any]) -> Response:
        keys, query = account.world.store["keys"], request.query_params
        asked = listed(query, "customer_uid")
        if not asked:
            raise bad_request("customer_uid 파라메터가 누락되었습니다.")
        found = [shown(keys[uid]) for uid in asked if uid in keys]
        if not found:
            raise not_found("요청하신 customer_uid로 등록된 정보를 찾을 수 없습니다.")
        return done(found, http_status=200 if len(found) == len(asked) else 207)

    return await account.perform(request, "customers_list", work)


@router.get("/{customer_uid}")
async def get_one(request: Request, account: TheAccount, customer_uid: str) -> Response:
    """One key."""
    return await account.perform(request, "customers_get", lambda _body: shown(find_key(account.world, customer_uid)))


@router.post("/{customer_uid}")
async def post_one(request: Request, account: TheAccount, customer_uid: str) -> Response:
    """Issue a key from card data."""
    return await account.perform(request, "customers", lambda body: shown(issue_key(account.world, customer_uid, body)))


@router.delete("/{customer_uid}")
async def delete_one(request: Request, account: TheAccount, customer_uid: str) -> Response:
    """Delete a key; some PGs want to know why, and who asks."""

    def work(body: dict[str, Any]) -> Record:
        key = find_key(account.world, customer_uid)
        require_fields(account.world, key["pg_provider"], "delete", _said(request, body))
        return shown(delete_key(account.world, customer_uid))

    return await account.perform(request, "customers_delete", work)


def _said(request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """What a DELETE says in its query, or as other clients do in a body."""
    extra = body.get("extra")
    requester = {"extra[requester]": extra.get("requester")} if isinstance(extra, dict) else {}
    return {**body, **requester, **request.query_params}


@router.get("/{customer_uid}/payments")
async def get_payments(request: Request, account: TheAccount, customer_uid: str) -> Response:
    """The payments of a key, newest first, 20 a page."""

    def work(_body: dict[str, Any]) -> dict[str, Any]:
        find_key(account.world, customer_uid)
        page, _ = page_and_limit(request.query_params)
        return paged(account.world.payments_by(customer_uid)[::-1], page, 20)

    return await account.perform(request, "customers_payments", work)


@router.get("/{customer_uid}/schedules")
async def get_schedules(request: Request, account: TheAccount, customer_uid: str) -> Response:
    """The schedules of a key; the same answer as schedule/customers/{customer_uid}."""
    return await account.perform(
        request, "customers_schedules", lambda _body: customer_schedules(account.world, request, customer_uid)
    )
