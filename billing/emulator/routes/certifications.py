"""/certifications: identity checks by SMS."""

from fastapi import APIRouter, Request, Response

from billing.emulator.account import TheAccount
from billing.emulator.certifications import confirm_otp, delete_certification, find_certification, request_otp

router = APIRouter(prefix="/certifications")


@router.post("/otp/request")
async def post_request(request: Request, account: TheAccount) -> Response:
    """Ask for a password by SMS."""
    return await account.perform(request, "certifications", lambda body: request_otp(account.world, body))


@router.post("/otp/confirm/{imp_uid}")
async def post_confirm(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """Confirm with the password."""
    return await account.perform(request, "certifications", lambda body: confirm_otp(account.world, imp_uid, body))


@router.get("/{imp_uid}")
async def get_one(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """One certification."""
    return await account.perform(request, "certifications", lambda _body: find_certification(account.world, imp_uid))


@router.delete("/{imp_uid}")
async def delete_one(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """Delete one."""
    return await account.perform(request, "certifications", lambda _body: delete_certification(account.world, imp_uid))
