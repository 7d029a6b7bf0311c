"""GET /cards and /banks: code tables (facts.md 2.9)."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from billing.emulator.account import TheAccount
from billing.emulator.codes import BANKS, CARDS
from billing.emulator.envelope import not_found

router = APIRouter()


@router.get("/cards")
async def get_cards(request: Request, account: TheAccount) -> Response:
    """Every card company."""
    return await account.perform(request, "cards", lambda _body: _rows(CARDS))


@router.get("/cards/{card_standard_code}")
async def get_card(request: Request, account: TheAccount, card_standard_code: str) -> Response:
    """One card company."""
    return await account.perform(request, "cards", lambda _body: _row(CARDS, card_standard_code, "카드사"))


@router.get("/banks")
async def get_banks(request: Request, account: TheAccount) -> Response:
    """Every bank."""
    return await account.perform(request, "banks", lambda _body: _rows(BANKS))


@router.get("/banks/{bank_standard_code}")
async def get_bank(request: Request, account: TheAccount, bank_standard_code: str) -> Response:
    """One bank."""
    return await account.perform(request, "banks", lambda _body: _row(BANKS, bank_standard_code, "은행"))


def _rows(names: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"code": code, "name": name} for code, name in names.items()]


def _row(names: Mapping[str, str], code: str, what: str) -> dict[str, str]:
    if code not in names:
        raise not_found(f"코드에 해당되는 {what}정보를 찾을 수 없습니다.")
    return {"code": code, "name": names[code]}
