"""/receipts: cash receipts."""

from fastapi import APIRouter, Request, Response

from billing.emulator.account import TheAccount
from billing.emulator.cash_receipts import cancel_receipt, find_receipt, issue_external, issue_receipt

router = APIRouter(prefix="/receipts")


@router.get("/external/{merchant_uid}")
async def get_external(request: Request, account: TheAccount, merchant_uid: str) -> Response:
    """The receipt of a payment outside PortOne."""
    return await account.perform(
        request, "receipts", lambda _body: find_receipt(account.world, "merchant_uid", merchant_uid)
    )


@router.post("/external/{merchant_uid}")
async def post_external(request: Request, account: TheAccount, merchant_uid: str) -> Response:
    """Issue one for a payment outside PortOne."""
    return await account.perform(request, "receipts", lambda body: issue_external(account.world, merchant_uid, body))


@router.delete("/external/{merchant_uid}")
async def delete_external(request: Request, account: TheAccount, merchant_uid: str) -> Response:
    """Take that one back."""
    return await account.perform(
        request, "receipts", lambda _body: cancel_receipt(account.world, "merchant_uid", merchant_uid)
    )


@router.get("/{imp_uid}")
async def get_one(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """The receipt of a payment."""
    return await account.perform(request, "receipts", lambda _body: find_receipt(account.world, "imp_uid", imp_uid))


@router.post("/{imp_uid}")
async def post_one(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """Issue one for a payment."""
    return await account.perform(request, "receipts", lambda body: issue_receipt(account.world, imp_uid, body))


@router.delete("/{imp_uid}")
async def delete_one(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """Take it back."""
    return await account.perform(request, "receipts", lambda _body: cancel_receipt(account.world, "imp_uid", imp_uid))
