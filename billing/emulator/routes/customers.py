"""/subscribe/customers: billing keys."""

from fastapi import APIRouter, Request, Response

from billing.emulator.account import AccountDep
from billing.emulator.envelope import bad_request, done, not_found
from billing.emulator.keys import find_key, issue_key, shown
from billing.emulator.lists import page_and_limit, paged
from billing.emulator.routes.schedules import customer_schedules

router = APIRouter(prefix="/subscribe/customers")


@router.get("")
async def get_many(account: AccountDep, request: Request) -> Response:
    def work(_body: dict[str, object]) -> Response:
        asked = request.query_params.getlist("customer_uid[]") or request.query_params.getlist("customer_uid")
        if not asked:
            raise bad_request("customer_uid 파라메터가 누락되었습니다.")
        found = [shown(account.world.store["keys"][uid]) for uid in asked if uid in account.world.store["keys"]]
        if not found:
            raise not_found("등록된 정보를 찾을 수 없습니다.")
        return done(found, http_status=200 if len(found) == len(asked) else 207)

    return await account.perform(request, "customers", work)


@router.get("/{customer_uid}")
async def get_one(account: AccountDep, request: Request, customer_uid: str) -> Response:
    return await account.perform(request, "customers_get", lambda _body: shown(find_key(account.world, customer_uid)))


@router.post("/{customer_uid}")
async def post_one(account: AccountDep, request: Request, customer_uid: str) -> Response:
    return await account.perform(request, "customers", lambda body: shown(issue_key(account.world, customer_uid, body)))


@router.delete("/{customer_uid}")
async def delete_one(account: AccountDep, request: Request, customer_uid: str) -> Response:
    def work(_body: dict[str, object]) -> dict[str, object]:
        key = find_key(account.world, customer_uid)
        account.world.store.drop("keys", customer_uid)
        return shown(key)

    return await account.perform(request, "customers_delete", work)


@router.get("/{customer_uid}/payments")
async def get_payments(account: AccountDep, request: Request, customer_uid: str) -> Response:
    def work(_body: dict[str, object]) -> dict[str, object]:
        find_key(account.world, customer_uid)
        page, _ = page_and_limit(request.query_params)
        rows = [
            account.world.store["payments"][imp_uid] for imp_uid in reversed(account.world.by_key.get(customer_uid, []))
        ]
        return paged(rows, page, 20)

    return await account.perform(request, "customers_payments", work)


@router.get("/{customer_uid}/schedules")
async def get_schedules(account: AccountDep, request: Request, customer_uid: str) -> Response:
    return await account.perform(
        request, "customers_schedules", lambda _body: customer_schedules(account.world, request, customer_uid)
    )
