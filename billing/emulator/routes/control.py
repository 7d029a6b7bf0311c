"""/emulator: the clock, the faults, the books, the webhooks, the console, the payment window. No token needed."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from billing.emulator.account import Account, TheAccount
from billing.emulator.books import read_books
from billing.emulator.console import act_in_console
from billing.emulator.console_acts import FARTHEST_SECONDS, ConsoleAct
from billing.emulator.envelope import Refusal
from billing.emulator.fault_kinds import KINDS, MOMENTS
from billing.emulator.faults import Plan, PlanError, read_faults
from billing.emulator.settings import EmulatorSettings
from billing.emulator.store import Record
from billing.emulator.window_keys import issue_in_window

router = APIRouter(prefix="/emulator")


class Advance(BaseModel):
    """How far a clock is moved: by seconds, or to an instant; everybody's, or one customer_uid's own."""

    model_config = ConfigDict(extra="forbid")

    advance_seconds: Annotated[float, Field(ge=0, le=FARTHEST_SECONDS)] | None = None
    to: datetime | None = None
    customer_uid: str | None = Field(default=None, min_length=1)


class WindowKey(BaseModel):
    """A key issued in the payment window, where the card never passes the merchant's server.

    `amount` is charged where the PG charges when a key is issued, and only shown in the window elsewhere.
    """

    model_config = ConfigDict(extra="forbid")

    customer_uid: str = Field(min_length=1, max_length=80)
    card_number: SecretStr
    expiry: SecretStr = SecretStr("2099-12")
    pg: str | None = None
    channel_key: str | None = None
    customer_id: str | None = None
    buyer_name: str | None = None
    buyer_email: str | None = None
    buyer_tel: str | None = None
    merchant_uid: str | None = Field(default=None, min_length=1, max_length=40)
    amount: float | None = Field(default=None, ge=0)
    currency: str = "KRW"
    name: str | None = None


@router.get("/clock")
async def get_clock(account: TheAccount, customer_uid: str | None = None) -> dict[str, object]:
    """The instant it is, and the next one at which something happens by itself."""
    return {**account.timeline.describe(customer_uid), "customers": account.world.clock.customers()}


@router.post("/clock")
async def post_clock(account: TheAccount, order: Advance) -> dict[str, object]:
    """Move a clock forward (never back), running what falls due on the way."""
    if (order.advance_seconds is None) == (order.to is None):
        raise HTTPException(422, "give advance_seconds or to")
    seconds = order.advance_seconds or 0.0
    if order.to is not None:
        if order.to.tzinfo is None:
            raise HTTPException(422, "to needs a time zone")
        seconds = order.to.timestamp() - account.world.clock.now(order.customer_uid)
        if seconds > FARTHEST_SECONDS:
            raise HTTPException(422, "to is too far away")
    executed = await account.timeline.advance(max(0.0, seconds), order.customer_uid)
    return {**account.timeline.describe(order.customer_uid), "executed": executed}


@router.get("/faults")
async def get_faults(account: TheAccount) -> list[Record]:
    """The rules that are set, and how often each has fired."""
    return account.faults.all()


@router.get("/faults/kinds")
async def get_kinds() -> list[dict[str, Any]]:
    """Every kind of fault: where it strikes, what it takes, what happens in both languages."""
    return [
        {
            "kind": name,
            "moment": {"en": MOMENTS[kind.moment][0], "ko": MOMENTS[kind.moment][1]},
            "paths": kind.paths,
            "takes": kind.takes,
            "en": kind.english,
            "ko": kind.korean,
        }
        for name, kind in KINDS.items()
    ]


@router.post("/faults", status_code=201)
async def post_faults(account: TheAccount, body: Annotated[dict[str, Any], Body()]) -> Record | list[Record]:
    """Set one more rule, or a plan (`seed`, `rules`) in place of whatever is set; 422 says what is wrong with it."""
    try:
        faults = read_faults(body)
    except PlanError as error:
        raise HTTPException(422, error.problems) from None
    with account.world.store.writing():
        record = account.faults.replace(faults) if isinstance(faults, Plan) else account.faults.add(faults)
    account.timeline.catch_up()
    return record


@router.delete("/faults")
async def delete_faults(account: TheAccount) -> dict[str, bool]:
    """Take every rule back."""
    with account.world.store.writing():
        account.faults.clear()
    return {"cleared": True}


@router.post("/reset")
async def post_reset(request: Request, account: TheAccount, settings: EmulatorSettings) -> dict[str, bool]:
    """Begin anew with an empty account and these settings; 409 where the account is kept in a file."""
    if account.settings.state_file is not None or settings.state_file is not None:
        raise HTTPException(409, "what is kept in a file is not reset")
    fresh = Account(settings)
    request.app.state.account = fresh
    fresh.timeline.start()
    await account.timeline.aclose()
    return {"reset": True}


@router.get("/books")
async def get_books(
    account: TheAccount, customer_uid: str | None = None, merchant_uid: str | None = None
) -> dict[str, Any]:
    """Everything that was charged."""
    account.timeline.catch_up()
    return read_books(account.world, customer_uid, merchant_uid)


@router.get("/webhooks")
async def get_webhooks(account: TheAccount, merchant_uid: str | None = None) -> list[Record]:
    """Every attempt to send a webhook."""
    return account.webhooks.attempts(merchant_uid)


@router.post("/console")
async def post_console(account: TheAccount, act: ConsoleAct) -> Record:
    """What a person does in PortOne's console."""
    try:
        with account.world.store.writing():
            answer = act_in_console(account.desk, act)
    except Refusal as refusal:
        raise HTTPException(404 if refusal.http_status == 404 else 409, refusal.message) from None  # noqa: PLR2004
    account.webhooks.start()
    return answer


@router.post("/window/billing-key", status_code=201)
async def post_window_key(account: TheAccount, window: WindowKey) -> Record:
    """Issue a key as the SDK window does; 402 with the PG's words when it refuses the card.

    Where the PG charges at issue, the key's `payment` is that charge; one that always charges needs an `amount`.
    """
    body = {
        **window.model_dump(),
        "card_number": window.card_number.get_secret_value(),
        "expiry": window.expiry.get_secret_value(),
    }
    try:
        with account.world.store.writing():
            answer = issue_in_window(account, body)
    except Refusal as refusal:
        raise HTTPException(402, refusal.message) from None
    account.webhooks.start()
    return answer
