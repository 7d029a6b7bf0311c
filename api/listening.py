"""`gudok listen`: the events of a local api as they happen, on the screen and at an address of yours."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import typer
from rich.console import Console
from rich.text import Text

from api.connections import own_connections
from billing.signing import event_body, signed_headers

POLL_SECONDS = 0.5
"""Soon enough to look like at once to a person, and nothing to a local database."""

LOOK_BACK = 100
"""On PostgreSQL an event may become visible behind one with a higher number: a poll reads so many numbers back."""

_PAGE = 200
_SECONDS = 20.0


class ListenError(Exception):
    """The api answers, and will not answer otherwise however long it is asked."""


@dataclass(frozen=True, slots=True)
class Forwarding:
    """An address that gets every event as an endpoint would, signed with a secret of this run."""

    url: str
    secret: str


class Listener:
    """Follows the events of one api.

    Args:
        url: of the api.
        api_key: that it takes.
        from_start: begin with the oldest event instead of the next one.
        say: prints what is not an event: that the api does not answer, or answers again.
    """

    def __init__(self, url: str, api_key: str, *, from_start: bool, say: Console) -> None:
        self._url = f"{url.rstrip('/')}/v1/events"
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._say = say
        self._last: int | None = 0 if from_start else None
        self._shown: deque[int] = deque(maxlen=_PAGE + LOOK_BACK)

    async def events(self, session: aiohttp.ClientSession) -> AsyncIterator[dict[str, Any]]:
        """Every event once, for ever; an api that is away is waited for.

        Raises:
            ListenError: the api refuses the key.
        """
        away = False
        while True:
            try:
                fresh = await self._fresh(session)
                if away:
                    self._say.print("the api answers again")
                away = False
            # What is no page of events is nothing of the api's: something in front of it answers while it is away.
            except (aiohttp.ClientError, TimeoutError, LookupError, TypeError, ValueError):
                if not away:
                    self._say.print(f"no answer from {self._url}; waiting for it")
                away, fresh = True, []
            for event in fresh:
                yield event
            # A full page has more behind it.
            if len(fresh) < _PAGE - LOOK_BACK:
                await asyncio.sleep(POLL_SECONDS)

    async def _fresh(self, session: aiohttp.ClientSession) -> list[dict[str, Any]]:
        if self._last is None:
            newest = await self._page(session, {"order": "desc", "limit": "1"})
            self._last = newest[0]["number"] if newest else 0
            self._shown.extend(range(max(1, self._last - LOOK_BACK + 1), self._last + 1))
        after = max(0, self._last - LOOK_BACK)
        page = await self._page(session, {"after": str(after), "limit": str(_PAGE)})
        fresh = [event for event in page if event["number"] not in self._shown]
        self._shown.extend(event["number"] for event in fresh)
        self._last = max([self._last, *(event["number"] for event in page)])
        return fresh

    async def _page(self, session: aiohttp.ClientSession, query: dict[str, str]) -> list[dict[str, Any]]:
        async with session.get(self._url, params=query, headers=self._headers) as answer:
            if answer.status in (401, 422):
                raise ListenError(
                    f"the api at {self._url} answers {answer.status}: is the key of GUDOK_API_KEYS its own?"
                )
            answer.raise_for_status()
            events: list[dict[str, Any]] = (await answer.json())["events"]
            return events


async def listen(listener: Listener, out: Console, *, as_json: bool, forwarding: Forwarding | None) -> None:
    """Print every event, and forward it if asked to, until cancelled."""
    async with own_connections(seconds=_SECONDS) as session:
        async for event in listener.events(session):
            if as_json:
                typer.echo(json.dumps(event, ensure_ascii=False))
            else:
                out.print(line(event), soft_wrap=True)
            if forwarding is not None:
                outcome = await forward(session, forwarding, event)
                if not as_json:
                    out.print(Text(f"{'':10}-> {outcome}", style="dim"), soft_wrap=True)


def line(event: dict[str, Any]) -> Text:
    """One event as a person reads it: when, what, whose, and its sentence."""
    at = datetime.fromisoformat(event["at"]).astimezone()
    return Text.assemble(
        (f"{at:%H:%M:%S}  ", "dim"),
        (f"{event['type']:34}", "bold"),
        f"{event['customer_uid']:20}  {event['summary']}",
    )


async def forward(session: aiohttp.ClientSession, forwarding: Forwarding, event: dict[str, Any]) -> str:
    """Send one event as an endpoint would get it, once; what came of it, in a word or two."""
    body = event_body(event["type"], datetime.fromisoformat(event["at"]), event["data"])
    headers = signed_headers(event["event_id"], body, [forwarding.secret], datetime.now(UTC))
    try:
        async with session.post(forwarding.url, data=body.encode(), headers=headers, allow_redirects=False) as answer:
            return str(answer.status)
    except (aiohttp.ClientError, TimeoutError) as error:
        return f"no answer: {type(error).__name__}"
