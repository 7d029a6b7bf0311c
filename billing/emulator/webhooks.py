"""Webhooks: queued on disk with the change they speak of, sent once, resent only where that was asked for.

The two timeouts are PortOne's: 10 s to connect and 30 s in all the first time, 15 s for a resend (facts.md 3.4).
"""

import asyncio
import itertools
import json
from urllib.parse import urlencode

import aiohttp

from billing.emulator.faults import WEBHOOK, Faults
from billing.emulator.store import Record
from billing.emulator.world import World

RESENDS = 5
RESEND_SECONDS = 60


class Webhooks:
    """Queues, sends, remembers every attempt."""

    def __init__(self, world: World, faults: Faults) -> None:
        self._world = world
        self._faults = faults
        self._ids = itertools.count(len(world.store["webhooks"]))
        self._order: dict[str, asyncio.Lock] = {}
        self._queued: list[str] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    def queue(self, payment: Record, at: float, *, cancellation_id: str | None = None) -> None:
        """Queue the webhook that a change of a payment causes; nothing when no URL is set."""
        url = payment.get("notice_url") or self._world.settings.webhook_url
        if not url:
            return
        where = {"merchant_uid": payment["merchant_uid"], "customer_uid": payment["customer_uid"]}
        fault = self._faults.take(WEBHOOK, "webhook", **where)
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
            key = f"{next(self._ids):08d}"
            self._world.store.put("webhooks", key, hook)
            if kind == "delay_webhook" and fault is not None:
                self._send_later(key, hook, at + fault["seconds"])
            elif hook["state"] == "queued":
                self._queued.append(key)

    def resume(self) -> None:
        """After a restart: what a kill left unsent is sent, what was waiting to be sent again still is."""
        for key, hook in self._world.store["webhooks"].items():
            if hook["resend_at"] is not None:
                self._world.expect(hook["customer_uid"], hook["resend_at"], "webhook", key)
            elif hook["state"] in ("queued", "sending"):
                self._queued.append(key)

    def send_again(self, key: str) -> None:
        """The time of a delayed or repeated webhook has come."""
        hook = self._world.store["webhooks"][key]
        self._world.store.put("webhooks", key, {**hook, "state": "queued", "resend_at": None})
        self._queued.append(key)

    def start(self) -> None:
        """Begin to send whatever is queued; returns at once."""
        queued, self._queued = self._queued, []
        for key in queued:
            hook = self._world.store["webhooks"][key]
            self._world.store.put("webhooks", key, {**hook, "state": "sending"})
        # The change and its webhook are on disk before anybody hears of it.
        self._world.store.flush()
        for key in queued:
            task = asyncio.create_task(self._send(key))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def settled(self) -> None:
        """Wait until everything that was begun has been answered or has failed."""
        while self._sending:
            await asyncio.gather(*self._sending)

    async def aclose(self) -> None:
        """Stop sending; what is unfinished is sent after the next start."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _send_later(self, key: str, hook: Record, at: float) -> None:
        self._world.store.put("webhooks", key, {**hook, "state": "waiting", "resend_at": at})
        self._world.expect(hook["customer_uid"], at, "webhook", key)

    async def _send(self, key: str) -> None:
        hook = self._world.store["webhooks"][key]
        # Two webhooks of one order leave in the order they were queued.
        async with self._order.setdefault(hook["body"]["merchant_uid"], asyncio.Lock()):
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
            self._session = aiohttp.ClientSession()
        if self._world.settings.webhook_encoding == "form":
            data, content_type = urlencode(hook["body"]).encode(), "application/x-www-form-urlencoded"
        else:
            data, content_type = json.dumps(hook["body"]).encode(), "application/json"
        timeout = aiohttp.ClientTimeout(total=15 if hook["resends"] else 30, connect=10)
        try:
            async with self._session.post(
                hook["url"],
                data=data,
                headers={"Content-Type": content_type, "User-Agent": "PortOne-Webhook (emulator)"},
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                await answer.read()
                return answer.status, None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return 0, type(error).__name__
