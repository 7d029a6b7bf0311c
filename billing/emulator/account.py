"""One emulated account put together, and how a call on it is performed."""

import asyncio
import logging
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from billing.emulator.envelope import REFUSED, LostAnswer, Refusal, done, refused
from billing.emulator.execution import Execution
from billing.emulator.faults import AFTER, BEFORE, Faults
from billing.emulator.form import read_body
from billing.emulator.settings import EmulatorSettings
from billing.emulator.store import Record
from billing.emulator.timeline import Timeline
from billing.emulator.tokens import require_token
from billing.emulator.webhooks import Webhooks
from billing.emulator.windows import Windows
from billing.emulator.world import World

Work = Callable[[dict[str, Any]], Any]

_log = logging.getLogger(__name__)


class Account:
    """The parts of the emulator, each built on those before it."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self.settings = settings
        self.world = World(settings)
        self.faults = Faults(self.world.store)
        self.webhooks = Webhooks(self.world, self.faults)
        self.execution = Execution(self.world, self.faults, self.webhooks)
        self.windows = Windows(self.world, self.faults, self.webhooks, self.execution)
        self.timeline = Timeline(self.world, self.execution, self.webhooks)

    async def perform(self, request: Request, path: str, work: Work, *, authorized: bool = True) -> Response:
        """Perform one call: token, faults before, the work in one durable change, faults after.

        `work` is given the body and answers the envelope's `response`, or a whole Response. When it raises Refusal,
        nothing has happened but the refusal. `path` is what fault switches call it.
        """
        try:
            body = await read_body(request)
        except Refusal as refusal:
            return refused(refusal)
        where = _named(request, body)
        if (delay := self.faults.take(("delay",), path, **where)) is not None:
            await asyncio.sleep(delay["seconds"])
        if (fault := self.faults.take(BEFORE, path, **where)) is not None:
            self.world.store.flush()
            return _failure(fault)
        answer = self._work(request, body, work, authorized=authorized)
        hang = self.faults.take(("delay_after",), path, **where)
        fault = self.faults.take(AFTER, path, **where)
        # What was done is on disk; now its webhooks leave, perhaps before the answer does.
        self.webhooks.start()
        if hang is not None:
            await asyncio.sleep(hang["seconds"])
        return answer if fault is None else _failure(fault)

    def _work(self, request: Request, body: dict[str, Any], work: Work, *, authorized: bool) -> Response:
        try:
            # What is due by now comes first: nobody sees a schedule that should have run.
            self.timeline.catch_up()
            if authorized:
                require_token(self.world, request)
            with self.world.store.writing():
                answer = work(body)
        except Refusal as refusal:
            return refused(refusal)
        except Exception:  # noqa: BLE001 - whatever it is, PortOne answers 500 in its envelope
            _log.exception("the emulator failed")
            return refused(Refusal("Internal Server Error", code=REFUSED, http_status=500))
        return answer if isinstance(answer, Response) else done(answer)


def account_of(request: Request) -> Account:
    """The account of the application that a request came to."""
    account: Account = request.app.state.account
    return account


TheAccount = Annotated[Account, Depends(account_of)]


def _failure(fault: Record) -> Response:
    match fault["kind"]:
        case "drop_after":
            return LostAnswer()
        case "429":
            answer = refused(Refusal("Too Many Requests", code=REFUSED, http_status=429))
            answer.headers["Retry-After"] = str(int(fault["seconds"]))
            return answer
        case "401":
            return refused(Refusal("Unauthorized", code=REFUSED, http_status=401))
        case "garbage":
            return Response("<html><body>502 Bad Gateway</body></html>", media_type="text/html")
        case _:
            return refused(Refusal("Internal Server Error", code=REFUSED, http_status=500))


def _named(request: Request, body: dict[str, Any]) -> dict[str, str | None]:
    """The order number and the key that a call is about, as far as fault switches need them."""
    schedules = body.get("schedules")
    first = schedules[0] if isinstance(schedules, list) and schedules and isinstance(schedules[0], dict) else {}
    named = {}
    for name in ("merchant_uid", "customer_uid"):
        value = request.path_params.get(name) or body.get(name) or first.get(name)
        named[name] = str(value[0] if isinstance(value, list) else value) if value else None
    return named
