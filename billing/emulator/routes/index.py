"""GET /: the page on which the books are read, and the clock, the console and the faults are worked."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from billing.emulator.account import TheAccount
from billing.emulator.lists import shown
from billing.emulator.store import Record

PAGE = Path(__file__).parents[1] / "index.html"
MOST_SHOWN = 200

router = APIRouter()


@router.get("/", include_in_schema=False)
async def get_page() -> HTMLResponse:
    """The page; it loads nothing from anywhere else."""
    return HTMLResponse(
        PAGE.read_text(encoding="utf-8"),
        headers={
            "Content-Security-Policy": "default-src 'none'; connect-src 'self'; "
            "style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
        },
    )


@router.get("/emulator/schedules")
async def get_schedules(account: TheAccount, customer_uid: str | None = None) -> list[Record]:
    """The latest schedules of one customer_uid or of all, the last to run first."""
    account.timeline.catch_up()
    store = account.world.store["schedules"]
    rows = list(store.values()) if customer_uid is None else account.world.schedules_by(customer_uid)
    latest = sorted(rows, key=lambda row: row["schedule_at"], reverse=True)
    return [shown(row) for row in latest[:MOST_SHOWN]]
