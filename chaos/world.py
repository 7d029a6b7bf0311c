"""A merchant, an operator and a buyer in one: what the harness does, over HTTP, the emulator's control and Temporal."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from billing.emulator.settings import GUIDE_KEYS, GUIDE_SECRET
from chaos.journal import Call, Journal, without_cards
from chaos.patience import ADVANCE_SECONDS, LONGEST_ADVANCE_SECONDS, Patience
from chaos.stack import Stack

GOOD, SOFT, HARD, TWICE = "1111", "0002", "0003", "0004"
PLAN = {"name": "월간 이용권", "amount": 9900, "interval": "month"}
ANSWER_SECONDS = 25.0
"""So long, in real time, a call may take: the api promises an answer, or 202, after a moment."""
_ASK_AGAIN_MINUTES = (12, 30, 120)
_OPEN = (None, 202, 503)
_POLL_SECONDS, _LONGEST_POLL_SECONDS = 0.1, 1.5
_AGAIN_SECONDS = 2.0
_ADVANCING = "advancing"
_NEARLY = timedelta(seconds=1)
_FARTHEST_DAYS = 800
_MOVED_ALREADY = ("subscription/", "reconciliation", "event")
_FAILING_ATTEMPT = 4
"""A workflow task that is tried for the fourth time fails by itself, not by a busy machine."""


class StuckError(Exception):
    """Something that has to come to rest, or to an answer, did not within a time that only a hang reaches."""


def _is_moving(asked: httpx.Response) -> bool:
    return asked.status_code == httpx.codes.CONFLICT and asked.json()["code"] == "test_clock_advancing"


def card(last_four: str) -> dict[str, str]:
    """A card whose last four digits say what the PG does with it."""
    return {"card_number": f"4518-4212-3456-{last_four}", "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}


@dataclass(frozen=True, slots=True)
class RunSeen:
    """One chain of runs of a workflow id, as Temporal has it."""

    workflow_id: str
    running: bool
    events: int
    runs: int
    failing_attempt: int


@dataclass(slots=True)
class World:
    """One product and everybody who deals with it."""

    stack: Stack
    journal: Journal = field(default_factory=Journal)
    in_trouble: bool = True
    """Whether something may still be broken on purpose."""

    # -------------------------------------------------------------- the merchant

    async def call(
        self, customer_uid: str, method: str, path: str, body: Any = None, *, again: str | None = None
    ) -> Call:
        """One call of the api, journaled; a `status` of None says that nobody answered in time.

        With the Idempotency-Key of an earlier one (`again`) it asks what became of that.
        """
        at = await self.now(customer_uid)
        status, answer = None, None
        key = again or (uuid.uuid4().hex if method == "POST" else None)
        with contextlib.suppress(httpx.TimeoutException):
            headers = {"Idempotency-Key": key} if key else None
            got = await self.stack.api.request(method, path, json=body, headers=headers, timeout=ANSWER_SECONDS)
            status, answer = got.status_code, got.json() if got.content else None
        does = f"{method} {path}"
        told = Call(at, customer_uid, does, without_cards(body), status, answer, self.in_trouble, key)
        self.journal.note(told)
        return told

    async def settled(self, customer_uid: str, method: str, path: str, body: Any = None) -> Call:
        """The same until it is answered for good: what is open is asked for again, with time in between."""
        call = await self.call(customer_uid, method, path, body)
        for minutes in _ASK_AGAIN_MINUTES:
            if call.status not in _OPEN:
                break
            if await self.subscription(customer_uid):
                await self.advance(customer_uid, minutes=minutes)
            call = await self.call(customer_uid, method, path, body, again=call.idempotency_key)
        return call

    async def start(self, customer_uid: str, *, last_four: str = GOOD, **more: Any) -> Call:
        """POST /v1/subscriptions with a card, unless `more` names another payment method."""
        return await self.call(
            customer_uid, "POST", "/v1/subscriptions", self.start_body(customer_uid, last_four=last_four, **more)
        )

    def start_body(self, customer_uid: str, *, last_four: str = GOOD, **more: Any) -> dict[str, Any]:
        """What a start is asked with."""
        return {
            "customer_uid": customer_uid,
            "plan": PLAN,
            "payment_method": {"card": card(last_four)},
            "customer": {"id": customer_uid, "name": "홍길동", "email": "gildong@example.com", "tel": "01012345678"},
            **more,
        }

    async def command(self, customer_uid: str, name: str, /, **body: Any) -> Call:
        """One command to a subscription."""
        return await self.call(customer_uid, "POST", f"/v1/subscriptions/{customer_uid}/{name}", body or None)

    async def subscription(self, customer_uid: str) -> dict[str, Any]:
        """What the api shows of it; empty when there is none."""
        got = await self.stack.api.get(f"/v1/subscriptions/{customer_uid}")
        shown: dict[str, Any] = got.json() if got.status_code == httpx.codes.OK else {}
        return shown

    async def charges(self, customer_uid: str) -> list[dict[str, Any]]:
        """The ledger's charges, every life's."""
        got = await self.stack.api.get(f"/v1/subscriptions/{customer_uid}/charges")
        rows: list[dict[str, Any]] = got.json()["charges"] if got.status_code == httpx.codes.OK else []
        return rows

    async def parked(self, customer_uid: str) -> list[dict[str, Any]]:
        """What the list of what a person must decide shows of it."""
        got = await self.stack.api.get("/v1/parked", params={"customer_uid": customer_uid})
        rows: list[dict[str, Any]] = got.json()["parked"]
        return rows

    async def reconcile(self) -> None:
        """Compare everything, however young, as far as any clock here has come."""
        now = datetime.now(UTC)
        body = {
            "settle_minutes": 0,
            "from": (now - timedelta(days=2)).isoformat(),
            "to": (now + timedelta(days=_FARTHEST_DAYS)).isoformat(),
        }
        got = await self.stack.api.post("/v1/reconciliation", json=body)
        run_id = got.json().get("run_id")

        async def done() -> bool:
            listed = await self.stack.api.get("/v1/reconciliation/runs")
            return any(run["run_id"] == run_id and run["state"] != "running" for run in listed.json()["runs"])

        if got.status_code == httpx.codes.ACCEPTED and not await self.until(done, ADVANCE_SECONDS):
            raise StuckError("the reconciliation does not end")

    async def differences(self) -> list[dict[str, Any]]:
        """What reconciliations have found and is not settled."""
        got = await self.stack.api.get("/v1/reconciliation/differences", params={"state": "open", "limit": 200})
        rows: list[dict[str, Any]] = got.json()["differences"]
        return rows

    # -------------------------------------------------------------- PortOne

    async def control(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """One call of the emulator's control.

        Raises:
            httpx.HTTPStatusError: it was refused.
        """
        got = await self.stack.emulator.request(method, f"/emulator/{path}", json=body, params=params)
        got.raise_for_status()
        return got.json()

    async def fault(self, kind: str, **rule: Any) -> None:
        """Set one rule of what goes wrong."""
        await self.control("POST", "faults", {"kind": kind, **rule})

    async def no_more_faults(self) -> None:
        """Take every rule back."""
        await self.control("DELETE", "faults")

    async def console(self, customer_uid: str, act: str, /, **what: Any) -> Call:
        """What a person does in PortOne's console; what it refuses is journaled like everything else."""
        at = await self.now(customer_uid)
        body = {"act": act, **what}
        got = await self.stack.emulator.post("/emulator/console", json=body)
        done = Call(at, customer_uid, f"console {act}", body, got.status_code, got.json())
        self.journal.note(done)
        return done

    async def put_card(self, customer_uid: str, last_four: str = GOOD, **more: Any) -> None:
        """The payment window issues a key, or puts another card behind the one that there is."""
        number = card(last_four)["card_number"]
        await self.control("POST", "window/billing-key", {"customer_uid": customer_uid, "card_number": number, **more})

    async def has_key(self, customer_uid: str) -> bool:
        """Whether PortOne has a key of this name, by what anybody may ask it."""
        token = await self.stack.emulator.post(
            "/users/getToken", json={"imp_key": GUIDE_KEYS[0], "imp_secret": GUIDE_SECRET}
        )
        bearer = token.json()["response"]["access_token"]
        path = f"/subscribe/customers/{customer_uid}"
        got = await self.stack.emulator.get(path, headers={"Authorization": f"Bearer {bearer}"})
        return got.status_code == httpx.codes.OK

    async def books(self, customer_uid: str) -> list[dict[str, Any]]:
        """Everything that was charged to a key, whatever anybody was told of it."""
        rows: list[dict[str, Any]] = (await self.control("GET", "books", customer_uid=customer_uid))["charges"]
        return rows

    async def held(self, customer_uid: str, merchant_uid: str | None = None) -> int:
        """Money of a key that was not given back, of one order number or of all."""
        rows = await self.books(customer_uid)
        chosen = [row for row in rows if merchant_uid in (None, row["merchant_uid"])]
        return int(sum(row["amount"] - row["cancelled_amount"] for row in chosen))

    async def schedules(self, customer_uid: str) -> list[dict[str, Any]]:
        """PortOne's schedules of a key."""
        rows: list[dict[str, Any]] = await self.control("GET", "schedules", customer_uid=customer_uid)
        return rows

    async def standing_of(self, customer_uid: str) -> list[str]:
        """The same of the key that a subscription is charged by now."""
        shown = await self.subscription(customer_uid)
        return await self.standing(shown["payment_method"]["customer_uid"] if shown else customer_uid)

    async def standing(self, customer_uid: str) -> list[str]:
        """The order numbers that PortOne would still charge by itself."""
        rows = await self.schedules(customer_uid)
        return [row["merchant_uid"] for row in rows if row["schedule_status"] == "scheduled"]

    # -------------------------------------------------------------- time

    async def now(self, customer_uid: str) -> datetime:
        """The instant it is for a subscriber."""
        clock = await self.control("GET", "clock", customer_uid=customer_uid)
        return datetime.fromisoformat(clock["now"])

    async def keeps_time_with(self, key: str, customer_uid: str) -> None:
        """A new key of a subscriber lives at the subscriber's time."""
        now = await self.now(customer_uid)
        await self.control("POST", "clock", {"customer_uid": key, "to": now.isoformat()})

    async def portone_moves(self, customer_uid: str, **distance: float) -> None:
        """Time passes at PortOne alone."""
        seconds = timedelta(**distance).total_seconds()
        await self.control("POST", "clock", {"customer_uid": customer_uid, "advance_seconds": seconds})

    async def advance(self, customer_uid: str, **distance: float) -> None:
        """A subscriber's whole world moves, and so do the runs that deal with what is left of it.

        Raises:
            StuckError: it does not come to rest.
        """
        target = await self.now(customer_uid) + timedelta(**distance)
        patience = Patience(ADVANCE_SECONDS, LONGEST_ADVANCE_SECONDS)
        clock = await self._moved(customer_uid, target, patience)
        while clock["status"] != "ready" or datetime.fromisoformat(clock["now"]) < target - _NEARLY:
            if patience.is_over(datetime.fromisoformat(clock["now"])):
                raise StuckError(f"the clock of {customer_uid} stopped: {clock['advance']}")
            await asyncio.sleep(_AGAIN_SECONDS)
            clock = await self._moved(customer_uid, target, patience)
        await self._others_follow(customer_uid, timedelta(**distance))

    async def _moved(self, customer_uid: str, target: datetime, patience: Patience) -> dict[str, Any]:
        """What a clock shows once it moves no longer; on a busy machine Temporal may not have answered on the way."""
        path = f"/v1/test-clocks/{customer_uid}"
        if (now := await self.now(customer_uid)) >= target - _NEARLY:
            return {"status": "ready", "now": now.isoformat()}
        asked = await self.stack.api.post(f"{path}/advance", json={"to": target.isoformat()})
        # A move that somebody lost patience with is still under way: what it comes to is waited for, too.
        if asked.status_code not in (httpx.codes.OK, httpx.codes.ACCEPTED) and not _is_moving(asked):
            raise StuckError(f"the clock of {customer_uid} does not move: {asked.text[:200]}")
        pause = _POLL_SECONDS
        while (clock := (await self.stack.api.get(path)).json())["status"] == _ADVANCING:
            if patience.is_over(datetime.fromisoformat(clock["now"])):
                raise StuckError(f"{customer_uid} does not come to rest on its way to {target.isoformat()}")
            await asyncio.sleep(pause)
            pause = min(_LONGEST_POLL_SECONDS, 1.4 * pause)
        shown: dict[str, Any] = clock
        return shown

    async def until(self, asked: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> bool:
        """Whether it became true within so much real time: what follows from a webhook comes when it comes."""
        limit = time.monotonic() + seconds
        while not await asked():
            if time.monotonic() > limit:
                return False
            await asyncio.sleep(0.1)
        return True

    async def _others_follow(self, customer_uid: str, distance: timedelta) -> None:
        """What is left of a subscriber in runs of its own, with clocks of their own, lives through the same time."""
        running = self.stack.temporal.list_workflows('ExecutionStatus = "Running"')
        others = [
            (run.id, run.run_id)
            async for run in running
            if run.task_queue == self.stack.task_queue and not run.id.startswith(_MOVED_ALREADY)
        ]
        if not others:
            return
        rows = await self.charges(customer_uid)
        keys = {customer_uid, *(row["customer_uid"] for row in rows)}
        names = {customer_uid, *(row["merchant_uid"] for row in rows)}
        names |= {row["imp_uid"] for key in keys for row in await self.books(key)}
        skipper = TimeSkipper(
            self.stack.temporal, config=TimeSkippingConfig(enabled=False, max_session_skip_count=100_000)
        )
        for workflow_id, run_id in others:
            if not any(name in workflow_id for name in names):
                continue
            handle: WorkflowHandle[Any, Any] = skipper.client.get_workflow_handle(workflow_id, run_id=run_id)
            with contextlib.suppress(RPCError, TimeoutError, RuntimeError):
                async with asyncio.timeout(ADVANCE_SECONDS / 3):
                    await skipper.fast_forward(handle, distance)

    def arm(self, _point: str, _act: str, *_whom: str) -> list[str]:
        """Arm a fail point for a customer; nothing here, where everything is one process."""
        return []

    def has_taken(self, _armed: Sequence[str]) -> bool:
        """Whether a process has come to a point that was armed so."""
        return False

    # -------------------------------------------------------------- the operator

    def run_of(self, customer_uid: str) -> WorkflowHandle[Any, Any]:
        """The newest run of a subscription."""
        return self.stack.temporal.get_workflow_handle(f"subscription/{customer_uid}")

    async def terminate(self, customer_uid: str) -> Call:
        """An operator ends the run from outside."""
        at, status = await self.now(customer_uid), 200
        try:
            await self.run_of(customer_uid).terminate("by an operator")
        except RPCError:
            status = 404
        done = Call(at, customer_uid, "operator terminates the run", None, status, None)
        self.journal.note(done)
        return done

    async def run_seen(self, workflow_id: str) -> RunSeen | None:
        """What Temporal says of a workflow id: all of its runs together; None when there is none."""
        runs = [
            run
            async for run in self.stack.temporal.list_workflows(f'WorkflowId = "{workflow_id}"')
            if run.task_queue == self.stack.task_queue
        ]
        if not runs:
            return None
        newest = max(runs, key=lambda run: run.start_time)
        described = await self.stack.temporal.get_workflow_handle(workflow_id, run_id=newest.run_id).describe()
        pending = described.raw_description.pending_workflow_task
        older = sum(run.history_length for run in runs if run.run_id != newest.run_id)
        return RunSeen(
            workflow_id,
            described.status is WorkflowExecutionStatus.RUNNING,
            older + described.history_length,
            len(runs),
            pending.attempt if described.raw_description.HasField("pending_workflow_task") else 0,
        )

    async def is_brick(self, customer_uid: str) -> bool:
        """Whether the run's workflow task fails again and again, so that nothing moves it any more."""

        async def failing() -> bool:
            seen = await self.run_seen(f"subscription/{customer_uid}")
            return seen is not None and seen.failing_attempt >= _FAILING_ATTEMPT

        seen = await self.run_seen(f"subscription/{customer_uid}")
        if seen is None or not seen.failing_attempt:
            return False
        return await self.until(failing, 12.0)
