"""Every POST and DELETE that acts is done once: per Idempotency-Key, and without one while its answer is open.

How far a request has come decides what is said and what is kept (decision 0008): a final outcome is the answer to every
later request with the key; an open one is looked into again, under what the first request started; a request that
did nothing leaves nothing behind.
"""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request
from fastapi.responses import JSONResponse, Response
from temporalio.service import RPCError

from api.attempt import Attempt, Reach
from api.dependencies import CallerDep, Desk, DeskDep
from api.errors import Problem, problem_response
from api.repeating import repeating
from api.running import AWAY, StillOpen, temporal_unavailable
from billing.ledger import IdempotencyClaim, LedgerUnavailableError

HEADER = "Idempotency-Key"
MAX_LENGTH = 255

KEPT_FOR = timedelta(days=30)
"""How long a key stands for its request, counted from when it was last worked on."""

RECOGNISED_FOR = timedelta(hours=24)
"""How long a request without a key whose answer is open is known again by its body."""

PURGE_SECONDS = 600.0
"""How often old keys are deleted; one that is older than its time stands for nothing before that, too."""

RENEW_SECONDS = 3.0
LEASE = timedelta(seconds=10)
"""A claim that was not renewed for so long belongs to a process that has died; the next request takes it over."""

Work = Callable[[Attempt], Awaitable[Response]]
Names = Callable[[str | None], Mapping[str, Any]]
"""What to ask for afterwards, of a resource id; of None, only what the caller brought itself."""

Made = Callable[[str], Sequence[Mapping[str, str]]]

_PENDING: Mapping[str, Any] = MappingProxyType({"status": "pending"})
_FINAL = frozenset({HTTPStatus.OK, HTTPStatus.CREATED})
_BY_AN_EARLIER_TRY = "it may have been started by an earlier try of this request"


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where a request is remembered; `keyed` by its caller, else by its own body."""

    scope: str
    key: str
    fingerprints: Mapping[str, str]
    keyed: bool

    @property
    def fingerprint(self) -> str:
        """Of the body, with the id of the key that made it."""
        newest = next(iter(self.fingerprints))
        return f"{newest}:{self.fingerprints[newest]}"

    def is_of(self, kept: str) -> bool:
        """Whether a kept fingerprint may be this body's; one made by a key that is gone proves nothing."""
        made_by, _, fingerprint = kept.partition(":")
        return self.fingerprints.get(made_by, fingerprint) == fingerprint


class Once:
    """One request, which is done once however often it is sent."""

    def __init__(self, request: Request, desk: Desk, caller: str) -> None:
        self._request = request
        self._desk = desk
        self._caller = caller

    async def __call__(
        self,
        resource: str,
        work: Work,
        *,
        names: Names = lambda _: {},
        pending: Mapping[str, Any] = _PENDING,
        by_body: bool = True,
        alone: bool = True,
        shown_once: Made | None = None,
    ) -> Response:
        """Do `work` for a new resource id, or go on with the one that an earlier try of this request has.

        Args:
            resource: what a first request makes; a later one gets the first one's.
            work: does it, and notes on the attempt how far it has come.
            names: what to ask for afterwards; said in every answer that is not final.
            pending: how a 202 calls the open outcome.
            by_body: whether a request without a key is known again by its body while its answer is open.
            alone: whether a twin without a key is refused while the first is being done; False where whoever is asked
                takes one after the other and looks what is left to do.
            shown_once: members of the answer that are not kept, made again from the resource id: by each key there is,
                the newest first.

        Raises:
            Problem: 422 for a key that stands for another body or cannot be kept, 409 while it is being done.
        """
        slot = await self._slot()
        if not slot.keyed and not by_body:
            return await self._answered(work, Attempt(resource, names(resource), pending))
        claim = await self._claim(slot, resource, names(None))
        if claim.kind == "mismatch":
            raise Problem(422, "idempotency_key_reused", f"this {HEADER} was used with another body", field=HEADER)
        first = Reach.NOT_STARTED if claim.kind == "new" else Reach.LEFT_OPEN
        attempt = Attempt(claim.resource, names(claim.resource), pending, first)
        if claim.kind == "in_progress" and not (slot.keyed or alone):
            return await self._answered(work, Attempt(resource, names(resource), pending, first))
        if claim.kind == "in_progress":
            detail = "this very request is being done at this moment; send it again for its answer"
            raise Problem(409, "request_in_progress", detail, **attempt.names)
        if claim.kind == "replay" and claim.status is not None:
            return await self._again(slot, claim, shown_once)
        async with self._renewed(slot):
            try:
                answer = await self._answered(work, attempt)
            except Exception:
                await self._leave(slot)
                raise
        await self._file(slot, attempt, answer, shown_once)
        return answer

    async def _slot(self) -> _Slot:
        request, key = self._request, self._request.headers.get(HEADER)
        if key is not None and (not 1 <= len(key) <= MAX_LENGTH or not key.isprintable()):
            raise Problem(
                422, "invalid_idempotency_key", f"{HEADER} must be 1 to {MAX_LENGTH} characters", field=HEADER
            )
        query = json.dumps(sorted(request.query_params.multi_items()))
        fingerprints = self._desk.fingerprints(f"{query}\n".encode() + _canonical(await request.body()))
        kind = "key" if key is not None else "body"
        scope = f"{kind}\n{self._caller}\n{request.method}\n{request.url.path}"
        # Hashed, because a path may be as long as it likes and a scope that is cut stands for others too.
        known_by = key or next(iter(fingerprints.values()))
        return _Slot(hashlib.sha256(scope.encode()).hexdigest(), known_by, fingerprints, key is not None)

    async def _claim(self, slot: _Slot, resource: str, brought: Mapping[str, Any]) -> IdempotencyClaim:
        now = self._desk.now()
        try:
            return await self._desk.ledger.claim_idempotency_key(
                slot.scope,
                slot.key,
                slot.fingerprint,
                resource,
                now,
                is_same=slot.is_of,
                lease=LEASE,
                forget_before=now - (KEPT_FOR if slot.keyed else RECOGNISED_FOR),
            )
        except LedgerUnavailableError:
            # Unread, the claim may stand for an earlier try; what was drawn for this one never comes to be.
            raise _nothing_by_this_try(_ledger_unavailable(), Reach.LEFT_OPEN, brought) from None

    async def _answered(self, work: Work, attempt: Attempt) -> Response:
        """The answer of the work; where something failed on the way, what is true of how far it has come."""
        try:
            return await work(attempt)
        except StillOpen as problem:
            return problem_response(_with_names(problem, attempt.names))
        except Problem as problem:
            if problem.status < HTTPStatus.INTERNAL_SERVER_ERROR or attempt.reach is Reach.VOID:
                return problem_response(_refused(problem, attempt))
            failed = problem
        except LedgerUnavailableError:
            failed = _ledger_unavailable()
        except RPCError as error:
            if not attempt.has_left and error.status not in AWAY:
                raise
            failed = temporal_unavailable()
        except Exception:
            if not attempt.has_left:
                raise
            structlog.get_logger().exception("a request failed after it had started something")
            return attempt.open_answer()
        if attempt.has_left:
            return attempt.open_answer()
        return problem_response(_not_begun(failed, attempt))

    async def _again(self, slot: _Slot, claim: IdempotencyClaim, shown_once: Made | None) -> Response:
        status, body = claim.status or HTTPStatus.OK, claim.body or ""
        headers = {"Idempotent-Replayed": "true"}
        if shown_once is not None and status < HTTPStatus.BAD_REQUEST:
            return JSONResponse(_shown_again(json.loads(body), shown_once(claim.resource)), status, headers)
        if not slot.keyed and not await self._request.is_disconnected():
            await self._desk.ledger.release_idempotency_key(slot.scope, slot.key, answered=True)
        media_type = "application/json" if status < HTTPStatus.BAD_REQUEST else "application/problem+json"
        return Response(body, status, headers, media_type)

    async def _file(self, slot: _Slot, attempt: Attempt, answer: Response, shown_once: Made | None) -> None:
        """Keep what is final, forget what did nothing, leave open what is open."""
        ledger, status = self._desk.ledger, answer.status_code
        final = (attempt.reach is Reach.SETTLED and status != HTTPStatus.ACCEPTED) or status in _FINAL
        refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        # A refusal before anybody looked says nothing of the earlier try: forgotten, it would be done a second time.
        nothing = attempt.reach is Reach.VOID or (refused and attempt.reach is not Reach.LEFT_OPEN)
        with contextlib.suppress(LedgerUnavailableError):
            # The answer is true whether or not it can be kept; what is not kept is looked into again.
            if final and (slot.keyed or await self._request.is_disconnected()):
                body = bytes(answer.body).decode()
                if shown_once is not None:
                    body = _without(body, shown_once(attempt.resource)[0])
                await ledger.finish_idempotency_key(slot.scope, slot.key, status, body)
            elif final or nothing:
                await ledger.release_idempotency_key(slot.scope, slot.key)
            else:
                await ledger.leave_idempotency_key(slot.scope, slot.key)

    async def _leave(self, slot: _Slot) -> None:
        with contextlib.suppress(LedgerUnavailableError):
            await self._desk.ledger.leave_idempotency_key(slot.scope, slot.key)

    @contextlib.asynccontextmanager
    async def _renewed(self, slot: _Slot) -> AsyncIterator[None]:
        """Show for as long as the block takes that somebody is at it."""

        async def renewing() -> None:
            while True:
                await asyncio.sleep(RENEW_SECONDS)
                with contextlib.suppress(LedgerUnavailableError):
                    await self._desk.ledger.renew_idempotency_key(slot.scope, slot.key, self._desk.now())

        task = asyncio.create_task(renewing())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def once_of(request: Request, desk: DeskDep, caller: CallerDep) -> Once:
    """This request, to be done once."""
    return Once(request, desk, caller)


OnceDep = Annotated[Once, Depends(once_of)]


@contextlib.asynccontextmanager
async def forgetting_old_keys(desk: Desk) -> AsyncIterator[None]:
    """Forget in the background, until the block ends, every key whose time is over."""

    async def forget() -> None:
        await desk.ledger.purge_idempotency_keys(desk.now() - KEPT_FOR)

    async with repeating("forgetting old idempotency keys", PURGE_SECONDS, forget):
        yield


def answer(status: int, body: object) -> JSONResponse:
    """A JSON answer that can be kept."""
    return JSONResponse(body, status)


def _canonical(body: bytes) -> bytes:
    """The same bytes for the same JSON, however it was written down; anything else as it came."""
    try:
        return json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return body


def _without(body: str, hidden: Mapping[str, str]) -> str:
    """An answer as it is kept: of what is shown once only a hash, by which it is known again."""
    hashes = {name: hashlib.sha256(value.encode()).hexdigest() for name, value in hidden.items()}
    return json.dumps(json.loads(body) | hashes, ensure_ascii=False)


def _shown_again(kept: Mapping[str, Any], candidates: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """The first answer whole; null for what no key makes again that is still there."""
    hidden = dict.fromkeys(candidates[0], None)
    for made in candidates:
        if all(hashlib.sha256(value.encode()).hexdigest() == kept[name] for name, value in made.items()):
            return {**kept, **made}
    return {**kept, **hidden}


def _ledger_unavailable() -> Problem:
    return Problem(503, "ledger_unavailable", "The ledger cannot be reached")


def _with_names(problem: Problem, names: Mapping[str, Any]) -> Problem:
    problem.extra = {**names, **problem.extra}
    return problem


def _not_begun(problem: Problem, attempt: Attempt) -> Problem:
    if not attempt.may_be_written:
        return _nothing_by_this_try(problem, attempt.reach, attempt.names)
    told = "whether this was written is not known: read it, or send the same request again"
    problem.detail = f"{problem.detail}; {told}"
    return _with_names(problem, attempt.names)


def _refused(problem: Problem, attempt: Attempt) -> Problem:
    if attempt.reach is Reach.NOT_STARTED:
        # What was never started has no name to ask for.
        return problem
    if attempt.reach is Reach.LEFT_OPEN:
        problem.detail = f"{problem.detail}; {_BY_AN_EARLIER_TRY}"
    return _with_names(problem, attempt.names)


def _nothing_by_this_try(problem: Problem, reach: Reach, names: Mapping[str, Any]) -> Problem:
    left_open = reach is Reach.LEFT_OPEN
    told = f"{_BY_AN_EARLIER_TRY}, this one started nothing" if left_open else "nothing was started"
    problem.detail = f"{problem.detail}; {told}, and the same request may be sent again"
    return _with_names(problem, names)
