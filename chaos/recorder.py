"""Every call that reached PortOne, in its order: what for, when on the customer's clock, what was answered."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MOST_BODY_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class PortOneCall:
    """One call: the ids that it named, and the HTTP status; None for one whose connection was cut."""

    at: datetime
    does: str
    customer_uid: str | None
    merchant_uids: tuple[str, ...]
    status: int | None
    code: int | None

    def line(self) -> str:
        """The call in one line of a story."""
        told = "cut" if self.status is None else f"{self.status} code {self.code}"
        return f"PortOne was asked: {self.does} {' '.join(self.merchant_uids)} -> {told}"


@dataclass(slots=True)
class Recorder:
    """Stands before an emulator and notes what passes; of a body nothing but ids is kept.

    Args:
        app: the emulator.
        now: the instant it is for a customer_uid there, in Unix seconds.
    """

    app: ASGIApp
    now: Callable[[str | None], float]
    calls: list[PortOneCall] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    """Whose order a number is, as far as a call has named both."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        if scope["type"] != "http" or scope["path"].startswith(("/emulator", "/users")):
            await self.app(scope, receive, send)
            return
        asked, answered = bytearray(), bytearray()
        status: list[int] = []

        async def hear() -> Message:
            message = await receive()
            asked.extend(message.get("body", b"")[: _MOST_BODY_BYTES - len(asked)])
            return message

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                status.append(message["status"])
            else:
                answered.extend(message.get("body", b"")[: _MOST_BODY_BYTES - len(answered)])
            await send(message)

        cut = False
        try:
            await self.app(scope, hear, tell)
        except ConnectionError:
            cut = True
            raise
        finally:
            self._note(scope, bytes(asked), None if cut or not status else status[0], bytes(answered))

    def of(self, customer_uids: set[str], merchant_uids: set[str]) -> list[PortOneCall]:
        """The calls about these keys or orders."""
        return [
            call for call in self.calls if call.customer_uid in customer_uids or merchant_uids & {*call.merchant_uids}
        ]

    def _note(self, scope: Scope, asked: bytes, status: int | None, answered: bytes) -> None:
        body, parts = _read(asked), scope["path"].split("/")
        numbers = [str(one.get("merchant_uid")) for one in body.get("schedules", []) if isinstance(one, dict)]
        named = body.get("merchant_uid") or []
        numbers += named if isinstance(named, list) else [str(named)]
        numbers += [part for part in parts if _is_number(part)]
        customer = body.get("customer_uid") or (parts[3] if parts[2:3] == ["customers"] and parts[3:] else None)
        if customer:
            self.owners.update(dict.fromkeys(numbers, customer))
        else:
            customer = next((self.owners[number] for number in numbers if number in self.owners), None)
        at = datetime.fromtimestamp(self.now(customer), UTC)
        code = _read(answered).get("code")
        does = f"{scope['method']} {scope['path']}"
        self.calls.append(PortOneCall(at, does, customer, tuple(dict.fromkeys(numbers)), status, code))


def _is_number(part: str) -> bool:
    return len(part) > 20 and part.isalnum()


def _read(text: bytes) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
