"""Webhooks: queued on disk with the change they speak of, sent once, resent only where that was asked for.

The two timeouts are PortOne's: 10 s to connect and 30 s in all the first time, 15 s for a resend (facts.md 3.4).
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from billing.emulator.fault_rules import WEBHOOK, Faults
from billing.emulator.faulty_answers import made_up
from billing.emulator.posting import Posting
from billing.emulator.store import Record
from billing.emulator.world import World

HELD_SECONDS = 5
"""How long a webhook waits for a page that never says that it has been told."""

RESENDS = 5
RESEND_SECONDS = 60
_FIRST_SECONDS, _RESEND_TOTAL_SECONDS = 30, 15
_PARALLEL = 256


class Webhooks:
    """Queues, sends, remembers every attempt.

    A webhook's `state` is queued, sending, waiting (for `resend_at`), held (for the next one), dropped or done.
    """

    def __init__(self, world: World, faults: Faults) -> None:
        self._world = world
        self._faults = faults
        hooks = world.store["webhooks"]
        # What a kill left unsent is sent; whether a "sending" one arrived is not known, so it is sent again.
        self._queued = [key for key, hook in hooks.items() if hook["state"] in ("queued", "sending")]
        # Which webhook of whom is held, and after which one it goes.
        self._held = {hook["held"]: key for key, hook in hooks.items() if hook["state"] == "held"}
        self._behind: dict[str, str] = {}
        self._early: set[asyncio.Task[None]] = set()
        self._last: dict[str, asyncio.Task[None]] = {}
        # The attempts under way, and whose they are.
        self._sending: dict[asyncio.Task[None], str | None] = {}
        # A time-out counts from when an attempt begins, not from when it began to wait for its turn.
        self._turns = asyncio.Semaphore(_PARALLEL)
        # The webhooks that wait until a browser was told, by payment; those queued now belong to the one that holds.
        self._untold: dict[str, list[str]] = {}
        self._holding: str | None = None
        self._posting = Posting(_PARALLEL)

    def queue(self, payment: Record, at: float, *, cancellation_id: str | None = None) -> None:
        """Queue the webhook that a change of a payment causes, one for each notice_url; nothing when no URL is set."""
        told = payment.get("notice_url") or self._world.settings.webhook_url or []
        queued = len(self._queued)
        for place, url in enumerate(told if isinstance(told, list) else [told]):
            whose = f"{payment['customer_uid'] or payment['merchant_uid']}/{place}"
            self._queue(url, payment, at, cancellation_id, whose)
        if self._holding is not None:
            self._wait_for_the_page(self._holding, queued, at)

    @contextmanager
    def held(self, imp_uid: str) -> Iterator[None]:
        """Let what is queued meanwhile wait until `release`, or HELD_SECONDS by the payment's clock."""
        self._holding, self._untold[imp_uid] = imp_uid, []
        try:
            yield
        finally:
            self._holding = None

    def release(self, imp_uid: str) -> None:
        """The browser has been told: the webhooks that waited for it are queued."""
        hooks = self._world.store["webhooks"]
        for key in self._untold.pop(imp_uid, []):
            if key in hooks and hooks[key]["state"] == "waiting":
                self.send_again(key)

    async def attempted(self, merchant_uid: str) -> None:
        """Wait until the last webhook of an order that has begun to leave was answered, or failed."""
        if (last := self._last.get(merchant_uid)) is not None:
            await asyncio.wait([last])

    def _queue(self, url: str, payment: Record, at: float, cancellation_id: str | None, whose: str) -> None:
        fault = self._faults.take(
            WEBHOOK, "webhook", merchant_uid=payment["merchant_uid"], customer_uid=payment["customer_uid"]
        )
        kind = fault["kind"] if fault else None
        body = {name: payment[name] for name in ("imp_uid", "merchant_uid", "status")}
        if cancellation_id:
            body["cancellation_id"] = cancellation_id
        hook = {
            "url": url,
            "body": body,
            "customer_uid": payment["customer_uid"],
            "at": at,
            "state": "queued",
            "resends": 0,
            "resend_at": None,
            "attempts": [],
        }
        seconds = fault["seconds"] if fault else 0.0
        held, queued = self._release(whose), len(self._queued)
        match kind:
            case "drop_webhook":
                self._keep({**hook, "state": "dropped"})
            case "delay_webhook":
                self._send_later(self._keep(hook), hook, at + seconds)
            case "reorder_webhook" if held is None:
                self._hold(self._keep(hook), hook, whose, at + seconds if seconds else None)
            case "duplicate_webhook":
                self._queued += [self._keep(hook), self._keep(hook)]
            case "forge_webhook":
                status = (fault or {}).get("status") or "paid"
                forged = {**body, "imp_uid": made_up(payment["imp_uid"]), "status": status}
                self._queued += [self._keep({**hook, "body": forged, "forged": True}), self._keep(hook)]
            case "early_webhook":
                self._queued.append(self._keep({**hook, "early": True}))
            case _:
                self._queued.append(self._keep(hook))
        if held is not None:
            if len(self._queued) > queued:
                self._behind[held] = self._queued[-1]
            self._queued.append(held)

    def _wait_for_the_page(self, imp_uid: str, queued: int, at: float) -> None:
        """What was queued just now leaves once the page was told, but what a fault sends before the answer."""
        hooks = self._world.store["webhooks"]
        waiting = [key for key in self._queued[queued:] if not hooks[key].get("early")]
        self._queued = [key for place, key in enumerate(self._queued) if place < queued or key not in waiting]
        for key in waiting:
            self._untold[imp_uid].append(key)
            self._send_later(key, hooks[key], at + HELD_SECONDS)

    def _keep(self, hook: Record) -> str:
        key = f"{self._world.store.count('webhook'):08d}"
        self._world.store.put("webhooks", key, hook)
        return key

    def _hold(self, key: str, hook: Record, whose: str, until: float | None) -> None:
        self._world.store.put("webhooks", key, {**hook, "state": "held", "held": whose, "resend_at": until})
        self._held[whose] = key
        if until is not None:
            self._world.expect(hook["customer_uid"], until, "webhook", key)

    def _release(self, whose: str) -> str | None:
        """The webhook that waited for this one; it goes right behind it."""
        key = self._held.get(whose)
        hook = self._world.store["webhooks"].get(key or "")
        if key is None or hook is None or hook["state"] != "held":
            return None
        self._world.store.put("webhooks", key, {**hook, "state": "queued", "resend_at": None})
        return key

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
        begun: dict[str, asyncio.Task[None]] = {}
        for key in queued:
            begun[key] = self._begin(key, hooks[key], begun.get(self._behind.pop(key, "")))
        return list(begun.values())

    async def early(self, sending: list[asyncio.Task[None]]) -> None:
        """Wait for those that are to be answered before the call that caused them is."""
        if early := self._early.intersection(sending):
            await asyncio.wait(early)

    def leaving(self, customer_uid: str | None) -> list[asyncio.Task[None]]:
        """The attempts under way, of one customer_uid or of everybody."""
        return [task for task, whose in self._sending.items() if customer_uid in (None, whose)]

    async def aclose(self) -> None:
        """Stop sending; what is unfinished is sent after the next start."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        await self._posting.aclose()

    def attempts(self, merchant_uid: str | None = None) -> list[dict[str, Any]]:
        """Every attempt to send, oldest webhook first; one that was not sent (yet) is listed with status null."""
        return [
            {
                "id": key,
                "url": hook["url"],
                "body": hook["body"],
                "state": hook["state"],
                "attempt": place,
                **({"forged": True} if hook.get("forged") else {}),
                **({"at": hook["at"], "status": None, "error": None} if attempt is None else attempt),
            }
            for key, hook in self._world.store["webhooks"].items()
            if merchant_uid in (None, hook["body"]["merchant_uid"])
            for place, attempt in enumerate(hook["attempts"] or [None], start=1)
        ]

    def _send_later(self, key: str, hook: Record, at: float) -> None:
        self._world.store.put("webhooks", key, {**hook, "state": "waiting", "resend_at": at})
        self._world.expect(hook["customer_uid"], at, "webhook", key)

    def _begin(self, key: str, hook: Record, behind: asyncio.Task[None] | None) -> asyncio.Task[None]:
        # Two webhooks of one order leave in the order they were queued, a held one behind that which it waited for; all
        # others side by side.
        merchant_uid = str(hook["body"]["merchant_uid"])
        before = [task for task in (self._last.get(merchant_uid), behind) if task is not None]
        task = asyncio.create_task(self._send(key, before))
        if hook.get("early"):
            self._early.add(task)
        self._last[merchant_uid] = task
        self._sending[task] = hook["customer_uid"]

        def forget(done: asyncio.Task[None]) -> None:
            self._sending.pop(done, None)
            self._early.discard(done)
            if self._last.get(merchant_uid) is done:
                del self._last[merchant_uid]

        task.add_done_callback(forget)
        return task

    async def _send(self, key: str, before: list[asyncio.Task[None]]) -> None:
        if before:
            await asyncio.wait(before)
        hook = self._world.store["webhooks"][key]
        async with self._turns:
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
        if self._world.settings.webhook_encoding == "form":
            data, content_type = urlencode(hook["body"]).encode(), "application/x-www-form-urlencoded"
        else:
            data, content_type = json.dumps(hook["body"]).encode(), "application/json"
        seconds = _RESEND_TOTAL_SECONDS if hook["resends"] else _FIRST_SECONDS
        return await self._posting.post(hook["url"], data, content_type, seconds=seconds)
