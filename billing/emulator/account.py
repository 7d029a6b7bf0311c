"""One emulated account put together, and how a call on it is performed."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from billing.emulator.envelope import REFUSED, LostAnswer, Refusal, done, refused
from billing.emulator.execution import Execution
from billing.emulator.faults import AFTER, BEFORE, Faults
from billing.emulator.form import read_body
from billing.emulator.settings import EmulatorSettings
from billing.emulator.timeline import Timeline
from billing.emulator.tokens import require_token
from billing.emulator.webhooks import Webhooks
from billing.emulator.world import World

Work = Callable[[dict[str, Any]], Any]


class Account:
    """The parts of the emulator, each built on those before it."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self.settings = settings
        self.world = World(settings)
        self.faults = Faults(self.world.store)
        self.webhooks = Webhooks(self.world, self.faults)
        self.execution = Execution(self.world, self.faults, self.webhooks)
        self.timeline = Timeline(self.world, self.execution, self.webhooks)

    async def perform(self, request: Request, path: str, work: Work, *, authorized: bool = True) -> Response:
        """Perform one call: token, faults before, the work in one durable change, faults after.

        `work` is given the body and answers the envelope's `response`, or a whole Response; it may raise Refusal.
        """
        try:
            body = await read_body(request)
        except Refusal as refusal:
            return refused(refusal)
        where = {
            "merchant_uid": _word(request.path_params.get("merchant_uid") or body.get("merchant_uid") or _first(body)),
            "customer_uid": _word(request.path_params.get("customer_uid") or body.get("customer_uid")),
        }
        if (delay := self.faults.take(("delay",), path, **where)) is not None:
            await asyncio.sleep(delay["seconds"])
        if (fault := self.faults.take(BEFORE, path, **where)) is not None:
            return _failure(fault["kind"])
        try:
            if authorized:
                require_token(self.world, request)
            with self.world.store.writing():
                answer = work(body)
        except Refusal as refusal:
            self.world.store.flush()
            answer = refused(refusal)
        fault = self.faults.take(AFTER, path, **where)
        self.timeline.touch()
        if fault is not None:
            return _failure(fault["kind"])
        return answer if isinstance(answer, Response) else done(answer)


def account_of(request: Request) -> Account:
    """The account of this application."""
    account: Account = request.app.state.account
    return account


AccountDep = Annotated[Account, Depends(account_of)]


def _failure(kind: str) -> Response:
    match kind:
        case "drop_after":
            return LostAnswer()
        case "429":
            return refused(Refusal("Too Many Requests", code=REFUSED, http_status=429))
        case "401":
            return refused(Refusal("Unauthorized", code=REFUSED, http_status=401))
        case "garbage":
            return Response("<html><body>502 Bad Gateway</body></html>", media_type="text/html")
        case _:
            return refused(Refusal("Internal Server Error", code=REFUSED, http_status=500))


def _word(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) else None


def _first(body: dict[str, Any]) -> Any:
    schedules = body.get("schedules")
    return schedules[0].get("merchant_uid") if isinstance(schedules, list) and schedules else None
