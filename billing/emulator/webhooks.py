"""Webhooks: queued on disk with the change they speak of, sent once, resent only where that was asked for.

The two timeouts are PortOne's: 10 s to connect and 30 s in all the first time, 15 s for a resend (facts.md 3.4).
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp

from billing.emulator.faults import WEBHOOK, Faults
from billing.emulator.store import Record
from billing.emulator.world import World

HELD_SECONDS = 5
"""How long a webhook waits for a page that never says that it has been told."""

RESENDS = 5
RESEND_SECONDS = 60
_CONNECT_SECONDS, _FIRST_SECONDS, _RESEND_TOTAL_SECONDS = 10, 30, 15
_PARALLEL = 256


class Webhooks:
    """Queues, sends, remembers every attempt.

    A webhook's `state` is queued, sending, waiting (for `resend_at`), dropped or done.
    """

    def __init__(self, world: World, faults: Faults) -> None:
        self._world = world
        self._faults = faults
        hooks = world.store["webhooks"]
        # What a kill left unsent is sent; whether a "sending" one arrived is not known, so it is sent again.
        self._queued = [key for key, hook in hooks.items() if hook["state"] in ("queued", "sending")]
        self._last: dict[str, asyncio.Task[None]] = {}
        self._sending: set[asyncio.Task[None]] = set()
        # The webhooks that wait until a browser was told, by payment; those queued now belong to the one held.
        self._held: dict[str, list[str]] = {}
        self._holding: str | None = None
        self._session: aiohttp.ClientSession | None = None

    def queue(self, payment: Record, at: float, *, cancellation_id: str | None = None) -> None:
        """Queue the webhook that a change of a payment causes, one for each notice_url; nothing when no URL is set."""
        told = payment.get("notice_url") or self._world.settings.webhook_url or []
        for url in told if isinstance(told, list) else [told]:
            self._queue(url, payment, at, cancellation_id)

    @contextmanager
    def held(self, imp_uid: str) -> Iterator[None]:
        """Let what is queued meanwhile wait until `release`, or HELD_SECONDS by the payment's clock."""
        self._holding, self._held[imp_uid] = imp_uid, []
        try:
            yield
        finally:
            self._holding = None

    def release(self, imp_uid: str) -> None:
        """The browser has been told: the webhooks that waited for it are queued."""
        hooks = self._world.store["webhooks"]
        for key in self._held.pop(imp_uid, []):
            if key in hooks and hooks[key]["state"] == "waiting":
                self.send_again(key)

    async def attempted(self, merchant_uid: str) -> None:
        """Wait until the last webhook of an order that has begun to leave was answered, or failed."""
        if (last := self._last.get(merchant_uid)) is not None:
            await asyncio.wait([last])

    def _queue(self, url: str, payment: Record, at: float, cancellation_id: str | None) -> None:
        fault = self._faults.take(
            WEBHOOK, "webhook", merchant_uid=payment["merchant_uid"], customer_uid=payment["customer_uid"]
        )
        kind = fault["kind"] if fault else None
        body = {name: payment[name] for name in ("imp_uid", "merchant_uid", "status")}
        if cancellation_id:
            body["cancellation_id"] = cancellation_id
        for _ in range(2 if kind == "duplicate_webhook" else 1):
            hook = {
                "url": url,
                "body": body,
                "customer_uid": payment["customer_uid"],
                "at": at,
                "state": "dropped" if kind == "drop_webhook" else "queued",
                "resends": 0,
                "resend_at": None,
                "attempts": [],
            }
            key = f"{self._world.store.count('webhook'):08d}"
            self._world.store.put("webhooks", key, hook)
            if kind == "delay_webhook" and fault is not None:
                self._send_later(key, hook, at + fault["seconds"])
            elif hook["state"] == "queued" and self._holding is not None:
                self._held[self._holding].append(key)
                self._send_later(key, hook, at + HELD_SECONDS)
            elif hook["state"] == "queued":
                self._queued.append(key)

    def send_again(self, key: str) -> None:
        """The time of a delayed or repeated webhook has come."""
        hook = self._world.store["webhooks"][key]
        self._world.store.put("webhooks", key, {**hook, "state": "queued", "resend_at": None})
        self._queued.append(key)

    def start(self) -> list[asyncio.Task[None]]:
        """Begin to send whatever is queued; returns at once, with the attempts that were begun."""
        queued, self._queued = self._queued, []
        hooks = self._world.store["webhooks"]
        queued = [key for key in queued if key in hooks]
        for key in queued:
            self._world.store.put("webhooks", key, {**hooks[key], "state": "sending"})
        # The change and its webhook are on disk before anybody hears of it.
        self._world.store.flush()
        return [self._begin(key, str(hooks[key]["body"]["merchant_uid"])) for key in queued]

    async def aclose(self) -> None:
        """Stop sending; what is unfinished is sent after the next start."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def attempts(self, merchant_uid: str | None = None) -> list[dict[str, Any]]:
        """Every attempt to send, oldest webhook first; one that was not sent (yet) is listed with status null."""
        return [
            {
                "id": key,
                "url": hook["url"],
                "body": hook["body"],
                "state": hook["state"],
                "attempt": place,
                **({"at": hook["at"], "status": None, "error": None} if attempt is None else attempt),
            }
            for key, hook in self._world.store["webhooks"].items()
            if merchant_uid in (None, hook["body"]["merchant_uid"])
            for place, attempt in enumerate(hook["attempts"] or [None], start=1)
        ]

    def _send_later(self, key: str, hook: Record, at: float) -> None:
        self._world.store.put("webhooks", key, {**hook, "state": "waiting", "resend_at": at})
        self._world.expect(hook["customer_uid"], at, "webhook", key)

    def _begin(self, key: str, merchant_uid: str) -> asyncio.Task[None]:
        # Two webhooks of one order leave in the order they were queued; all others side by side.
        task = asyncio.create_task(self._send(key, self._last.get(merchant_uid)))
        self._last[merchant_uid] = task
        self._sending.add(task)

        def forget(done: asyncio.Task[None]) -> None:
            self._sending.discard(done)
            if self._last.get(merchant_uid) is done:
                del self._last[merchant_uid]

        task.add_done_callback(forget)
        return task

    async def _send(self, key: str, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        hook = self._world.store["webhooks"][key]
        status, error = await self._post(hook)
        at = self._world.clock.now(hook["customer_uid"])
        hook = {**hook, "state": "done", "attempts": [*hook["attempts"], {"at": at, "status": status, "error": error}]}
        failed = status == 0 or status >= 500  # noqa: PLR2004 - PortOne resends on these alone
        if failed and self._world.settings.webhook_retries and hook["resends"] < RESENDS:
            self._send_later(key, {**hook, "resends": hook["resends"] + 1}, at + RESEND_SECONDS)
        else:
            self._world.store.put("webhooks", key, hook)
        self._world.store.flush()

    async def _post(self, hook: Record) -> tuple[int, str | None]:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_PARALLEL))
        if self._world.settings.webhook_encoding == "form":
            data, content_type = urlencode(hook["body"]).encode(), "application/x-www-form-urlencoded"
        else:
            data, content_type = json.dumps(hook["body"]).encode(), "application/json"
        total = _RESEND_TOTAL_SECONDS if hook["resends"] else _FIRST_SECONDS
        try:
            async with self._session.post(
                hook["url"],
                data=data,
                headers={"Content-Type": content_type, "User-Agent": "PortOne-Webhook (emulator)"},
                timeout=aiohttp.ClientTimeout(total=total, connect=_CONNECT_SECONDS),
                allow_redirects=False,
            ) as answer:
                await answer.read()
                return answer.status, None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return 0, type(error).__name__
