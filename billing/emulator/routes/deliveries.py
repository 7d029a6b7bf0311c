"""/escrows/logis: deliveries of escrow payments."""

from fastapi import APIRouter, Request, Response

from billing.emulator.account import TheAccount
from billing.emulator.deliveries import change_delivery, find_delivery, register_delivery

router = APIRouter(prefix="/escrows/logis")


@router.get("/{imp_uid}")
async def get_one(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """What was sent."""
    return await account.perform(request, "escrows", lambda _body: find_delivery(account.world, imp_uid))


@router.post("/{imp_uid}")
async def post_one(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """Register what was sent."""
    return await account.perform(request, "escrows", lambda body: register_delivery(account.world, imp_uid, body))


@router.put("/{imp_uid}")
async def put_one(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """Change it."""
    return await account.perform(request, "escrows", lambda body: change_delivery(account.world, imp_uid, body))
