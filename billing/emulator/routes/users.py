"""POST /users/getToken, GET /users/pg."""

from fastapi import APIRouter, Request, Response

from billing.emulator.account import TheAccount
from billing.emulator.channels import list_channels
from billing.emulator.tokens import issue_token

router = APIRouter(prefix="/users")


@router.post("/getToken")
async def get_token(request: Request, account: TheAccount) -> Response:
    """An access token (facts.md 1.5)."""
    return await account.perform(request, "getToken", lambda body: issue_token(account.world, body), authorized=False)


@router.get("/pg")
async def get_pg(request: Request, account: TheAccount) -> Response:
    """The account's channels (facts.md 2.2)."""
    return await account.perform(request, "pg", lambda _body: list_channels(sandbox=account.settings.sandbox))
