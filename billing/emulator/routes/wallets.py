"""/payco and /payments/{imp_uid}/naver: what only a wallet has."""

from fastapi import APIRouter, Request, Response

from billing.emulator.account import TheAccount
from billing.emulator.wallets import change_payco_status, naver_cash_amount, require_naver_payment

router = APIRouter()


@router.post("/payco/orders/status/{imp_uid}")
async def post_status(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """Tell PAYCO how far an order is."""
    return await account.perform(request, "payco", lambda body: change_payco_status(account.world, imp_uid, body))


@router.post("/payments/{imp_uid}/naver/point")
@router.post("/payments/{imp_uid}/naver/confirm")
async def post_point(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """Give the buyer's points, or confirm an escrow payment: nothing but that it was done is told."""
    return await account.perform(request, "naver", lambda _body: require_naver_payment(account.world, imp_uid))


@router.get("/payments/{imp_uid}/naver/cash-amount")
async def get_cash_amount(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """For how much a cash receipt may be issued."""
    return await account.perform(request, "naver", lambda _body: naver_cash_amount(account.world, imp_uid))
