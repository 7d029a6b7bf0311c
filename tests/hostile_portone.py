"""The emulator with a hostile PG behind it: whatever is asked with a card comes back with that card written in it."""

import itertools
import json

from tests.hostile import FORMS, NUMBER

WITH_CARD = ("/subscribe/payments/onetime", "/subscribe/customers/", "/subscribe/payments/schedule")
_FIELDS = (
    "pg_tid", "card_name", "bank_name", "pg_provider", "pg_id", "apply_num", "receipt_url", "custom_data", "name",
    "buyer_name", "fail_reason", "cancel_reason",
)  # fmt: skip


class HostilePortOne:
    """An ASGI application around the emulator's; each answer to a card takes the next twelve forms, one for each place.

    Args:
        app: The emulator.
        refuse: Whether cards are refused, with the echo in the message, or accepted, with echoes in the row.
    """

    def __init__(self, app, forms=FORMS):
        self.app, self.refuse, self.garbage = app, False, False
        self.state = app.state
        self.forms, self.echoed, self.places = itertools.cycle(forms), set(), set()

    def _next(self, place):
        form = next(self.forms)
        self.echoed.add(form.name)
        self.places.add(place)
        return form.echo

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body, asked = await _read(receive)
        status, headers, answer = await self._answered(scope, asked)
        if NUMBER in body.decode("utf-8", "replace").replace("-", "") and scope["path"].startswith(WITH_CARD):
            status, headers, answer = self._echoed(status, answer)
        elif scope["method"] == "GET" and scope["path"].startswith("/payments"):
            answer = self._left_behind(answer)
        headers = [(name, value) for name, value in headers if name != b"content-length"]
        headers.append((b"content-length", str(len(answer)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _answered(self, scope, receive):
        started, parts = {}, []

        async def send(message):
            if message["type"] == "http.response.start":
                started.update(message)
            else:
                parts.append(message.get("body", b""))

        await self.app(scope, receive, send)
        return started["status"], started["headers"], b"".join(parts)

    def _echoed(self, status, answer):
        headers = [(b"content-type", b"application/json"), (b"x-card", NUMBER.encode()), (b"retry-after", b"900412")]
        self.places |= {"a header", "Retry-After"}
        if self.garbage:
            return 502, headers, self._next("a body that is no JSON").encode()
        envelope = json.loads(answer)
        if self.refuse:
            envelope |= {"code": int(NUMBER), "response": None}
            self.places.add("code")
            envelope["message"] = f"[F113] 한도초과 {self._next('message')}"
        elif isinstance(envelope["response"], dict):
            self._into(envelope["response"])
            envelope["message"] = self._next("message")
        return status, headers, json.dumps(envelope).encode()

    def _into(self, row):
        for field in _FIELDS:
            row[field] = self._next(field)
        row[f"key {self._next('a key')}"] = self._next("a field that nobody knows")

    def _left_behind(self, answer):
        """What a PG wrote into PortOne's row stays there: later look-ups, without a card, bring it again."""
        envelope = json.loads(answer)
        found = envelope.get("response")
        rows = found.get("list", [found]) if isinstance(found, dict) else found or []
        for row in rows:
            for field in ("fail_reason", "card_name", "bank_name", "pg_provider"):
                row[field] = self._next(f"{field} of a look-up")
        return json.dumps(envelope).encode()


async def _read(receive):
    """The request's body, and a `receive` that gives it once more."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"".join(parts)
    given = False

    async def again():
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return body, again
