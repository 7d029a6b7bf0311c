"""`gudok proof MERCHANT_UID`: all that is known of one charge, and the sentence that says why it is the only one."""

import asyncio
import json
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from temporalio.client import Client
from temporalio.service import RPCError

from api.audit_command import not_read
from api.proof_history import LeadingHistory, leading_history
from api.proof_reading import LedgerRows, read_proof
from api.reconcile import LOG_COLUMNS
from billing.domain.proof import CERTAIN, Proof, ProofBooks, ProofOutcome, prove
from billing.ledger import Ledger, LedgerError
from billing.portone import PortOneError
from billing.settings import Settings, load_settings
from billing.temporal import connect

PROVEN, NOT_PROVEN, NOT_OURS = 0, 1, 2
"""What the command exits with; NOT_OURS also when PortOne, the ledger or Temporal could not be read."""

_LONGEST = 80


def proof(
    merchant_uid: Annotated[str, typer.Argument(help="The order number, as PortOne and the ledger have it.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")] = False,
) -> None:
    """Prove what became of one order; exits with 0 when that is certain, 1 when not, 2 when it is not ours."""
    if not 0 < len(merchant_uid) <= _LONGEST or not merchant_uid.isprintable() or "'" in merchant_uid:
        raise typer.BadParameter("not an order number")
    out = Console()
    if not out.is_terminal:
        # In a log there is no width to fit into, and a table that wraps cannot be read.
        out = Console(width=LOG_COLUMNS)
    raise typer.Exit(asyncio.run(run_proof(load_settings(), out, merchant_uid, as_json=as_json)))


async def run_proof(
    settings: Settings, out: Console, merchant_uid: str, *, as_json: bool = False, temporal: Client | None = None
) -> int:
    """Read both sides and the history, print the proof, and answer what to exit with."""
    from worker import portone_client  # noqa: PLC0415 - only where the whole is put together

    ledger, client = Ledger(settings.database_url.get_secret_value()), portone_client(settings)
    try:
        books, rows = await read_proof(client, ledger, merchant_uid)
        history = await _history(temporal, books, rows)
    except (PortOneError, LedgerError) as error:
        not_read(out, error, as_json=as_json)
        return NOT_OURS
    finally:
        await client.aclose()
        await ledger.aclose()
    found = prove(books)
    if as_json:
        out.print_json(json.dumps(_document(found, books, rows, history), ensure_ascii=False))
    else:
        _print(out, found, books, rows, history)
    if found.outcome is ProofOutcome.NOT_OURS:
        return NOT_OURS
    return PROVEN if found.outcome in CERTAIN else NOT_PROVEN


async def _history(temporal: Client | None, books: ProofBooks, rows: LedgerRows) -> LeadingHistory | None:
    """The events that led to it; None where nobody here ordered it. Temporal away is said, and proves nothing else."""
    if rows.charge is None:
        return None
    payments = {row.imp_uid for row in books.at_portone(books.merchant_uid).payments}
    workflow_id = rows.charge.workflow_id
    try:
        return await leading_history(temporal or await connect(), workflow_id, {books.merchant_uid, *payments})
    except (RPCError, RuntimeError) as error:
        return LeadingHistory(workflow_id, (), 0, f"Temporal could not be asked: {type(error).__name__}.")


# ---------------------------------------------------------------- as a document


def _document(found: Proof, books: ProofBooks, rows: LedgerRows, history: LeadingHistory | None) -> dict[str, Any]:
    there = {number: books.at_portone(number) for number in (books.merchant_uid, *_siblings(books))}
    return {
        "merchant_uid": books.merchant_uid,
        "outcome": found.outcome.value,
        "proof": found.text,
        "sentences": list(found.sentences),
        "portone": [
            {
                "merchant_uid": number,
                "payments": [_shown(row, _PAYMENT) for row in each.payments],
                "schedule": _shown(each.schedule, _SCHEDULE) if each.schedule else None,
            }
            for number, each in there.items()
        ],
        "ledger": {
            "charge": _shown(rows.charge, _CHARGE) if rows.charge else None,
            "results": [_shown(row, _RESULT) for row in rows.results],
            "payments": [_shown(row, _PAYMENT) for row in rows.payments],
            "refunds": [_shown(row, _REFUND) for row in rows.refunds],
            "decisions": [_shown(row, _DECISION) for row in rows.decisions],
        },
        "history": _history_document(history),
    }


def _history_document(history: LeadingHistory | None) -> dict[str, Any] | None:
    if history is None:
        return None
    return {
        "workflow_id": history.workflow_id,
        "runs": history.runs,
        "gone": history.gone,
        "events": [_shown(event, _EVENT) for event in history.events],
    }


_PAYMENT = ("imp_uid", "status", "amount", "cancelled_amount", "customer_uid", "paid_at", "failed_at", "fail_reason")
_SCHEDULE = ("status", "schedule_at", "amount", "payment_status", "imp_uid")
_CHARGE = ("kind", "subscription_id", "cycle", "generation", "amount", "due_at", "state", "sends", "sent_at", "imp_uid")
_RESULT = ("at", "state", "imp_uid", "code", "message")
_REFUND = ("refund_id", "state", "amount", "requested_at", "sends", "sent_at", "reason")
_DECISION = ("at", "decision", "by", "reason", "parked_reason")
_EVENT = ("at", "run_id", "event_id", "kind", "words")


def _siblings(books: ProofBooks) -> list[str]:
    return [each.merchant_uid for each in books.siblings]


def _shown(row: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _value(getattr(row, name)) for name in names}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int) else str(value)


# ---------------------------------------------------------------- for people


def _print(out: Console, found: Proof, books: ProofBooks, rows: LedgerRows, history: LeadingHistory | None) -> None:
    colour = "green" if found.outcome in CERTAIN else "yellow" if found.outcome is ProofOutcome.OPEN else "red"
    out.print(f"[{colour}]{found.outcome.value.replace('_', ' ')}[/]: {found.text}", soft_wrap=True, highlight=False)
    for number in (books.merchant_uid, *_siblings(books)):
        there = books.at_portone(number)
        _table(out, f"PortOne, payments of {number}", there.payments, _PAYMENT)
        _table(out, f"PortOne, schedule of {number}", [there.schedule] if there.schedule else [], _SCHEDULE)
    _table(out, "Ledger, intent and sends", [rows.charge] if rows.charge else [], _CHARGE)
    _table(out, "Ledger, what was found out", rows.results, _RESULT)
    _table(out, "Ledger, payments", rows.payments, _PAYMENT)
    _table(out, "Ledger, refunds", rows.refunds, _REFUND)
    _table(out, "Ledger, decisions", rows.decisions, _DECISION)
    if history is not None:
        _table(out, f"History of {history.workflow_id}", history.events, _EVENT)
        if history.gone:
            out.print(history.gone, soft_wrap=True, highlight=False)


def _table(out: Console, title: str, rows: Any, names: tuple[str, ...]) -> None:
    if not rows:
        return
    table = Table(title=title, title_justify="left")
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(str(value) if value is not None else "" for value in _shown(row, names).values()))
    out.print(table)
