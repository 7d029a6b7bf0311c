"""/vbanks: virtual accounts issued without a window."""

from typing import Any

from fastapi import APIRouter, Request, Response

from billing.emulator.account import TheAccount
from billing.emulator.lists import shown
from billing.emulator.store import Record
from billing.emulator.vbanks import change_vbank, delete_vbank, find_holder, issue_vbank

router = APIRouter(prefix="/vbanks")


@router.post("")
async def post_one(request: Request, account: TheAccount) -> Response:
    """Issue an account; its webhook says `ready`."""

    def work(body: dict[str, Any]) -> Record:
        row = issue_vbank(account.world, body, request.headers.get("user-agent"))
        account.webhooks.queue(row, row["started_at"])
        return shown(row)

    return await account.perform(request, "vbanks", work)


@router.get("/holder", include_in_schema=False)
async def get_holder(request: Request, account: TheAccount) -> Response:
    """Who holds a bank account: no longer in PortOne's schema, and still called by its clients."""
    return await account.perform(request, "vbanks", lambda _body: find_holder(request.query_params))


@router.put("/{imp_uid}")
async def put_one(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """Change an account that waits."""
    return await account.perform(request, "vbanks", lambda body: shown(change_vbank(account.world, imp_uid, body)))


@router.delete("/{imp_uid}")
async def delete_one(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """Delete an account that waits."""
    return await account.perform(request, "vbanks", lambda _body: shown(delete_vbank(account.world, imp_uid)))
