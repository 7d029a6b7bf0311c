"""POST /users/getToken, GET /users/pg."""

from fastapi import APIRouter, Request, Response

from billing.emulator.account import AccountDep
from billing.emulator.tokens import issue_token
from billing.emulator.world import CHANNELS

router = APIRouter(prefix="/users")


@router.post("/getToken")
async def get_token(account: AccountDep, request: Request) -> Response:
    return await account.perform(request, "getToken", lambda body: issue_token(account.world, body), authorized=False)


@router.get("/pg")
async def get_pg(account: AccountDep, request: Request) -> Response:
    channels = [
        {
            "pg_provider": provider,
            "pg_id": pg_id,
            "sandbox": account.settings.sandbox,
            "type": kind,
            "channel_name": provider,
            "channel_key": f"channel-key-{provider}",
        }
        for provider, pg_id in CHANNELS
        for kind in ("payment", "api_payment")
    ]
    return await account.perform(request, "pg", lambda _body: channels)
