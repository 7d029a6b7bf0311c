"""/v1/iamport.js and the payment window that it opens (facts.md 5)."""

from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import ValidationError

from billing.emulator.account import Account, TheAccount
from billing.emulator.confirmation import objection
from billing.emulator.envelope import LostAnswer, Refusal, bad_request
from billing.emulator.store import Record
from billing.emulator.window_requests import WindowRequest, channel_of_window, open_window
from billing.emulator.window_results import redirect_of, refused_result, result_of

SCRIPT = Path(__file__).parents[1] / "iamport.js"
PAGE = Path(__file__).parents[1] / "window.html"

# The script runs in pages of any origin; what it asks for is no secret of anybody's.
_ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}
_SHOWN_OF_WINDOW = ("imp_uid", "provider", "form", "charges", "origin", "period", "language")
_SHOWN_OF_ORDER = ("merchant_uid", "customer_uid", "name", "amount", "currency", "buyer_name", "buyer_tel")

router = APIRouter(include_in_schema=False)


@router.get("/v1/iamport.js")
@router.get("/js/iamport.payment-{version}.js")
@router.get("/js/iamport.payment.js")
async def get_script() -> Response:
    """PortOne's SDK of this emulator; by its address it knows which generation it stands for."""
    return Response(SCRIPT.read_bytes(), media_type="text/javascript; charset=utf-8", headers=_ANY_ORIGIN)


@router.post("/emulator/window")
async def post_window(request: Request, account: TheAccount) -> Response:
    """Open a window: `{imp_uid, redirects}`, or `{refused: …}` with what the callback is given instead."""

    def work(body: dict[str, Any]) -> Response:
        try:
            asked = WindowRequest.model_validate(body)
        except ValidationError:
            raise bad_request("요청 본문을 읽을 수 없습니다.") from None
        try:
            window = open_window(account.world, asked, request.headers.get("user-agent"))
        except Refusal as refusal:
            limited = channel_of_window(account.world, asked).limited
            code = account.settings.window_error_code
            result = refused_result(asked.param.get("merchant_uid"), refusal.message, code, limited=limited)
            return JSONResponse({"refused": result})
        return JSONResponse({"imp_uid": window["imp_uid"], "redirects": window["redirect_url"] is not None})

    return _anywhere(await account.perform(request, "window_open", work, authorized=False))


@router.get("/emulator/window/{imp_uid}")
async def get_page(imp_uid: str) -> HTMLResponse:  # noqa: ARG001 - the page reads it from its own address
    """The window's page; it loads nothing from anywhere else, and may stand in a frame of any page."""
    return HTMLResponse(
        PAGE.read_text(encoding="utf-8"),
        headers={
            "Content-Security-Policy": "default-src 'none'; connect-src 'self'; "
            "style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
            "Referrer-Policy": "no-referrer",
        },
    )


@router.get("/emulator/window/{imp_uid}/view")
async def get_view(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """What the page shows; once the window has ended, how."""

    def work(_body: dict[str, Any]) -> Response:
        window, _ = account.windows.find(imp_uid)
        shown = {
            name: window[name] for name in ("imp_uid", "provider", "form", "charges", "origin", "period", "language")
        }
        view = shown | {name: window["order"][name] for name in _SHOWN_OF_ORDER} | {"ended": None}
        return JSONResponse(view if account.windows.waits(imp_uid) else view | {"ended": _ending(account, imp_uid)})

    return await account.perform(request, "window_view", work, authorized=False)


@router.post("/emulator/window/{imp_uid}/approve")
async def post_approve(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """The buyer approves, and a `confirm_url` has nothing against it; with card 0005 the browser never hears of it."""
    refusal = None
    if account.windows.waits(imp_uid):
        refusal = await objection(account.windows.find(imp_uid)[0], float(account.settings.confirm_seconds))

    def work(body: dict[str, Any]) -> Response:
        if refusal is not None:
            account.windows.object(imp_uid, refusal)
            return JSONResponse(_ending(account, imp_uid))
        payment = account.windows.approve(imp_uid, body)
        if payment["status"] == "paid" and account.execution.loses_answer(payment):
            account.windows.lose(imp_uid)
            return LostAnswer()
        return JSONResponse(_ending(account, imp_uid))

    answer = await account.perform(request, "window", work, authorized=False)
    if account.settings.window_webhook == "before" and answer.status_code == HTTPStatus.OK:
        window, _ = account.windows.find(imp_uid)
        await account.webhooks.attempted(window["order"]["merchant_uid"])
    return answer


@router.post("/emulator/window/{imp_uid}/decline")
async def post_decline(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """The PG declines."""

    def work(_body: dict[str, Any]) -> Response:
        account.windows.decline(imp_uid)
        return JSONResponse(_ending(account, imp_uid))

    return await account.perform(request, "window", work, authorized=False)


@router.post("/emulator/window/{imp_uid}/close")
async def post_close(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """The buyer goes away."""

    def work(_body: dict[str, Any]) -> Response:
        account.windows.close(imp_uid)
        return JSONResponse(_ending(account, imp_uid))

    return _anywhere(await account.perform(request, "window_close", work, authorized=False))


@router.post("/emulator/window/{imp_uid}/told")
async def post_told(request: Request, account: TheAccount, imp_uid: str) -> Response:
    """The page's callback has been called: webhooks that waited for that leave now."""

    def work(_body: dict[str, Any]) -> Response:
        account.webhooks.release(imp_uid)
        return JSONResponse({"told": True})

    return _anywhere(await account.perform(request, "window_told", work, authorized=False))


def _ending(account: Account, imp_uid: str) -> Record:
    """How a window ended: the callback's object, and where to go when a redirect tells of it."""
    window, payment = account.windows.find(imp_uid)
    result = result_of(window, payment, account.settings.window_error_code)
    return {"result": result, "redirect": redirect_of(window, result) if window["redirect_url"] else None}


def _anywhere(answer: Response) -> Response:
    answer.headers.update(_ANY_ORIGIN)
    return answer
