"""How the api listens: uvicorn, with an end to everything that a caller may leave unfinished.

uvicorn ends idle connections only. Here a head, a body and an unread answer have their time too, and connections their
number; without that a few hundred sockets that send one byte a minute would be a few hundred that stand for ever.
"""

import asyncio
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.errors import Problem, problem_response
from billing.settings import Settings

IDLE_SECONDS = 5
"""How long a connection is kept on which nothing was asked yet, or nothing more is."""

LARGEST_HEAD = 32 * 1024
"""Bytes of one request's line and headers; h11 refuses what is longer."""

_GRACE = 2.0
# A body that is late is answered 408 by api/body_limit.py; this is for those that no route reads.


def server_config(app: ASGIApp, settings: Settings, *, host: str, port: int) -> uvicorn.Config:
    """The configuration of a server for `app`, with the time-outs of the settings."""

    class Connection(TimedConnection):
        head_seconds = settings.header_seconds
        body_seconds = settings.body_seconds + _GRACE
        write_seconds = settings.write_seconds
        most = settings.max_connections

    # uvicorn's own reading of X-Forwarded-For is off: api/security.py reads it, from trusted proxies only. Its own
    # limit_concurrency would answer in plain text, and PortOne's webhooks like everybody else: ours is by connection.
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=Connection,
        ws="none",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        h11_max_incomplete_event_size=LARGEST_HEAD,
    )


class TimedConnection(H11Protocol):
    """One connection; whatever it owes is waited for until an instant, not from byte to byte.

    A head has `head_seconds` from its first byte (or from the connection), a body `body_seconds` from the end of its
    head, an answer `write_seconds` to be read. `most` connections are held at once.
    """

    head_seconds: float
    body_seconds: float
    write_seconds: float
    most: int

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._owed: str | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the head of a first request; refuse one connection too many."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            self._refuse(Problem(503, "too_many_connections", "this server holds as many connections as it may"))
            return
        self._expect("head", self.head_seconds)

    def data_received(self, data: bytes) -> None:
        """Hear more of a request; what it still owes keeps the deadline it had."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """An answer is out; a body that nobody read is still owed, and a next head may have come with the last one."""
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is owed any more."""
        self._expect(None)
        self._read_again()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The caller reads more slowly than we write."""
        super().pause_writing()
        self._unread = self._unread or self.loop.call_later(self.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read."""
        super().resume_writing()
        self._read_again()

    def _read_again(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _look(self) -> None:
        if self.transport.is_closing():
            self._expect(None)
        elif self.conn.their_state is h11.SEND_BODY:
            self._expect("body", self.body_seconds)
        elif self.conn.their_state is h11.IDLE and self.timeout_keep_alive_task is None:
            self._expect("head", self.head_seconds)
        else:
            # Whole, and being answered; or idle, which has a time of its own.
            self._expect(None)

    def _expect(self, owed: str | None, seconds: float = 0.0) -> None:
        if owed == self._owed:
            return
        if self._deadline is not None:
            self._deadline.cancel()
        self._owed = owed
        self._deadline = None if owed is None else self.loop.call_later(seconds, self._too_late)

    def _too_late(self) -> None:
        if self._owed == "head" and self.conn.trailing_data[0]:
            self._refuse(Problem(408, "head_timeout", "the head of the request did not come in time"))
        else:
            # Nobody asked anything, or who asked has had an answer.
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is answered in the words of every other refusal; `msg` is uvicorn's."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._refuse(Problem(400, "malformed_request", msg))
        else:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        """Answer without a request, and close."""
        answer = problem_response(problem)
        head = f"HTTP/1.1 {problem.status} {STATUS[problem.status]}\r\n".encode()
        lines = [name + b": " + value + b"\r\n" for name, value in answer.raw_headers if name != b"connection"]
        self.transport.write(b"".join([head, *lines, b"connection: close\r\n\r\n", bytes(answer.body)]))
        self.transport.close()


STATUS = {400: "Bad Request", 408: "Request Timeout", 503: "Service Unavailable"}
