"""The demo's calls of an api: what may be sent again is, what is still open is followed to its end, within a bound."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

PATIENCE_SECONDS = 180.0
"""How long one answer is followed: the api itself says 202 after 20 s, and a busy machine takes a few of those."""

_OK = 200
_STILL_OPEN = frozenset({202, 503})
_EXCERPT = 200


class DemoFailedError(Exception):
    """A step of the story did not go as told."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer by its status; the document is None where the body is no JSON object."""

    status: int
    text: str
    document: dict[str, Any] | None

    def says(self) -> str:
        """Status and reason for a person."""
        if self.document is None:
            excerpt = " ".join(self.text.split())[:_EXCERPT]
            return f"{self.status} without a JSON document: {excerpt or 'nothing'}"
        detail = self.document.get("detail") or self.document.get("title") or self.document.get("code")
        return f"{self.status}: {detail or 'no reason given'}"


class ApiCalls:
    """Calls of the api at `url`, by a session of the caller's."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        headers: Mapping[str, str],
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._session = session
        self._url = url
        self._headers = headers
        self._patience = patience_seconds

    async def get(self, path: str) -> dict[str, Any]:
        """A document that is there; asked for again while the api does not answer.

        Raises:
            DemoFailedError: another status than 200, or no answer in time.
        """
        answer = await self._settled("GET", path, None, None)
        return _expected(f"GET {path}", answer, _OK)

    async def post(self, path: str, body: object, expected: int, *, key: str) -> dict[str, Any]:
        """Post under an Idempotency-Key: what is still open, or was never answered, is sent again and joins the first.

        Raises:
            DemoFailedError: another status than the expected one, or none of the answers was final in time.
        """
        return _expected(f"POST {path}", await self._settled("POST", path, body, key), expected)

    async def post_once(self, path: str, body: object) -> Answer | None:
        """Post what must not be sent again; None where it is unknown whether it was done."""
        try:
            return await self._sent("POST", path, body, None)
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def _settled(self, method: str, path: str, body: object, key: str | None) -> Answer:
        clock, wait = asyncio.get_running_loop(), 0.1
        limit = clock.time() + self._patience
        while True:
            try:
                answer = await self._sent(method, path, body, key)
                last = answer.says()
                if answer.status not in _STILL_OPEN:
                    return answer
            except (aiohttp.ClientError, TimeoutError) as error:
                last = f"no answer ({type(error).__name__})"
            if clock.time() > limit:
                raise DemoFailedError(f"{method} {path} is still open after {self._patience:.0f} s; last {last}")
            await asyncio.sleep(wait)
            wait = min(2.0, wait * 2)

    async def _sent(self, method: str, path: str, body: object, key: str | None) -> Answer:
        headers = {**self._headers, **({"Idempotency-Key": key} if key else {})}
        async with self._session.request(method, self._url + path, json=body, headers=headers) as answer:
            text = await answer.text(errors="replace")
            return Answer(answer.status, text, _document(text))


def _document(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _expected(what: str, answer: Answer, status: int) -> dict[str, Any]:
    if answer.status != status or answer.document is None:
        raise DemoFailedError(f"{what} answered {answer.says()}")
    return answer.document
