"""One emulated account put together, and how a call on it is performed."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response

from billing.emulator.console import Desk
from billing.emulator.console_acts import ConsoleAct
from billing.emulator.envelope import REFUSED, Refusal, done, refused
from billing.emulator.execution import Execution
from billing.emulator.fault_kinds import LOOK_UPS
from billing.emulator.fault_rules import AFTER, BEFORE, LOOK, Faults
from billing.emulator.faulty_answers import identity_of, told_after, told_before
from billing.emulator.form import read_body
from billing.emulator.operations import Operation, as_listed, operation_of
from billing.emulator.parameters import require_parameters
from billing.emulator.past import Change
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
        self.faults = Faults(self.world)
        self.webhooks = Webhooks(self.world, self.faults)
        self.execution = Execution(self.world, self.faults, self.webhooks)
        self.windows = Windows(self.world, self.faults, self.webhooks, self.execution)
        self.desk = Desk(self.world, self.execution)
        self.timeline = Timeline(self.desk, self.webhooks, self.faults)

    async def perform(self, request: Request, path: str, work: Work, *, authorized: bool = True) -> Response:
        """Perform one call: token, faults before, the work in one durable change, faults after.

        `work` is given the body and answers the envelope's `response`, or a whole Response. When it raises Refusal,
        nothing has happened but the refusal. `path` is what fault switches call it.
        """
        operation = operation_of(request)
        try:
            body = await read_body(request)
        except Refusal as refusal:
            return refused(as_listed(refusal, operation))

        def act() -> Any:
            require_parameters(operation, {**request.query_params, **request.path_params, **body}, body)
            return work(body)

        where = identity_of(self.world, request, body)
        if (delay := self.faults.take(("delay",), path, **where)) is not None:
            await asyncio.sleep(delay["seconds"])
        if (fault := self.faults.take(BEFORE, path, **where)) is not None:
            if fault["kind"] == "execute_late":
                return self._execute_late(request, fault, where, act, authorized=authorized)
            self.world.store.flush()
            return told_before(fault)
        lag = self.faults.take(LOOK, path, **where) if path in LOOK_UPS else None
        answer = self._work(request, operation, self._lagging(act, lag), authorized=authorized)
        if (planned := self.faults.take(("console",), path, **where)) is not None:
            self._act(planned, where)
        hang = self.faults.take(("delay_after",), path, **where)
        fault = self.faults.take(AFTER, path, **where)
        # What was done is on disk; now its webhooks leave, perhaps before the answer does.
        await self.webhooks.early(self.webhooks.start())
        if hang is not None:
            await asyncio.sleep(hang["seconds"])
        return answer if fault is None else told_after(fault, answer)

    def _execute_late(
        self,
        request: Request,
        fault: Record,
        where: Mapping[str, str | None],
        work: Callable[[], Any],
        *,
        authorized: bool,
    ) -> Response:
        try:
            if authorized:
                require_token(self.world, request)
        except Refusal as refusal:
            return refused(refusal)
        number = str(self.world.store.count("call"))
        self.world.calls[number] = work
        owner = where["customer_uid"]
        self.world.expect(owner, self.world.clock.now(owner) + fault["seconds"], "call", number)
        self.world.store.flush()
        return told_before(fault)

    def _lagging(self, work: Callable[[], Any], lag: Record | None) -> Callable[[], Any]:
        """The same look, which sees what was true before."""
        if lag is None:
            return work
        past = self.world.past

        def look() -> Any:
            unseen: Iterable[Change] = (
                past.as_of(lag["seconds"]) if lag["kind"] == "stale" else past.as_at_mark(lag["mark"])
            )
            with past.without(unseen):
                return work()

        return look

    def _act(self, rule: Record, where: Mapping[str, str | None]) -> None:
        """A person acts on what the call was about, unless the rule names something else."""
        act = ConsoleAct.model_validate(rule["act"])
        unnamed = {} if act.imp_uid or act.merchant_uid else {"merchant_uid": where["merchant_uid"]}
        act = act.model_copy(update={**unnamed, "customer_uid": act.customer_uid or where["customer_uid"]})
        if rule["seconds"]:
            self.faults.expect(rule["key"], act, self.world.clock.now(act.customer_uid) + rule["seconds"])
        else:
            self.timeline.act_by_rule(rule["key"], act)

    def _work(
        self, request: Request, operation: Operation | None, work: Callable[[], Any], *, authorized: bool
    ) -> Response:
        try:
            # What is due by now comes first: nobody sees a schedule that should have run.
            self.timeline.catch_up()
            if authorized:
                require_token(self.world, request)
            with self.world.store.writing():
                answer = work()
        except Refusal as refusal:
            return refused(as_listed(refusal, operation))
        except Exception:  # noqa: BLE001 - whatever it is, PortOne answers 500 in its envelope
            _log.exception("the emulator failed")
            return refused(Refusal("Internal Server Error", code=REFUSED, http_status=500))
        return answer if isinstance(answer, Response) else done(answer)


def account_in(app: FastAPI) -> Account:
    """The account of an application."""
    account: Account = app.state.account
    return account


async def account_of(request: Request) -> Account:
    """The account of the application that a request came to.

    Not because it waits: what is not a coroutine is sent through a thread with every call.
    """
    return account_in(request.app)


TheAccount = Annotated[Account, Depends(account_of)]
