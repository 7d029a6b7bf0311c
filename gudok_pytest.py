"""A pytest plugin: the fixture `gudok_emulator` is a PortOne V1 of the test's own.

It stands beside the packages under a name of its own and imports nothing of theirs: a test suite may have a `billing`
or an `api` itself. The emulator runs in another process, and is spoken to over HTTP.
"""

import contextlib
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import pytest

IMP_KEY, IMP_SECRET = "imp_apikey", "gudok_emulator_secret"

Plan = Mapping[str, Any] | Sequence[Mapping[str, Any]] | Path
"""A plan or one rule, the rules of a plan, or the file it is in."""

_ENDS_WITHIN_SECONDS = 10


class EmulatorRefusedError(AssertionError):
    """What a test asked of the emulator cannot be done; the message says why, for a plan by rule and field."""


class GudokEmulator:
    """One PortOne V1: `url` is what a client's base URL is set to, `imp_key` and `imp_secret` what it is given.

    Every method waits for its answer; in an async test whose own event loop receives the webhooks, call `advance` and
    `console` through `asyncio.to_thread`.
    """

    imp_key, imp_secret = IMP_KEY, IMP_SECRET

    def __init__(self, url: str) -> None:
        self.url = url
        self._open = build_opener(ProxyHandler({})).open

    def reset(self, **options: Any) -> None:
        """Begin with an empty account; `options` are settings of the emulator, such as `webhook_url`."""
        self._ask("POST", "reset", {"imp_key": IMP_KEY, "imp_secret": IMP_SECRET, **options})

    def faults(
        self, plan: Mapping[str, Any] | Sequence[Mapping[str, Any]] | Path | None = None
    ) -> list[dict[str, Any]]:
        """Set a plan in place of what is set, a list of its rules or a file of it (TOML, JSON), or add one rule.

        Answers every rule that is set, and how often each has `fired`; without a plan that is all it does.
        """
        if isinstance(plan, Path):
            text = plan.read_text(encoding="utf-8")
            plan = {"rules": [], **(json.loads(text) if plan.suffix == ".json" else tomllib.loads(text))}
        if plan is not None:
            self._ask("POST", "faults", dict(plan) if isinstance(plan, Mapping) else {"rules": list(plan)})
        return self._list("faults")

    def clear_faults(self) -> None:
        """Take every rule back."""
        self._ask("DELETE", "faults")

    def advance(
        self,
        by: timedelta | float | None = None,
        *,
        to: datetime | None = None,
        customer_uid: str | None = None,
    ) -> list[str]:
        """Move everybody's clock, or one key's own, `by` seconds or `to` an instant; answers what was run on the way.

        Each schedule runs at its own instant, and its webhook has been tried when this answers.
        """
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        order = {"advance_seconds": seconds, "to": to.isoformat() if to else None, "customer_uid": customer_uid}
        executed: list[str] = self._ask("POST", "clock", order)["executed"]
        return executed

    def now(self, customer_uid: str | None = None) -> datetime:
        """The instant it is there, for everybody or for one key."""
        return datetime.fromisoformat(self._ask("GET", "clock", query={"customer_uid": customer_uid})["now"])

    def books(self, customer_uid: str | None = None, merchant_uid: str | None = None) -> dict[str, Any]:
        """Everything that was charged, whatever anybody was told of it: `charges`, `totals`."""
        books: dict[str, Any] = self._ask(
            "GET", "books", query={"customer_uid": customer_uid, "merchant_uid": merchant_uid}
        )
        return books

    def schedules(self, customer_uid: str | None = None) -> list[dict[str, Any]]:
        """The latest schedules, the last to run first."""
        return self._list("schedules", customer_uid=customer_uid)

    def webhooks(self, merchant_uid: str | None = None) -> list[dict[str, Any]]:
        """Every attempt to send a webhook, and what became of it."""
        return self._list("webhooks", merchant_uid=merchant_uid)

    def console(self, act: str, **to_what: Any) -> dict[str, Any]:
        """What a person does in PortOne's console: `console("cancel", merchant_uid="order-1")`."""
        done: dict[str, Any] = self._ask("POST", "console", {"act": act, **to_what})
        return done

    def _list(self, what: str, **query: str | None) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._ask("GET", what, query=query)
        return rows

    def _ask(
        self,
        method: str,
        what: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | None] | None = None,
    ) -> Any:
        given = urlencode({name: value for name, value in (query or {}).items() if value is not None})
        request = Request(  # noqa: S310 - the address is the emulator's
            f"{self.url}/emulator/{what}?{given}",
            None if body is None else json.dumps(body, default=_iso).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        try:
            with self._open(request) as answer:
                return json.load(answer)
        except HTTPError as error:
            with error:
                raise EmulatorRefusedError(_told(error.read())) from None


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")


def _told(body: bytes) -> str:
    detail = json.loads(body)["detail"]
    if isinstance(detail, str):
        return detail
    lines = (one if isinstance(one, str) else f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in detail)
    return "\n".join(lines)


@contextlib.contextmanager
def running_emulator() -> Iterator[str]:
    """An emulator in a process of its own, in memory, on a free port of the loopback interface; yields its address."""
    # Neither the folder of the tests nor PYTHONPATH: what stands there may have the names of gudok's packages.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "billing.emulator"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            address = process.stdout.readline().strip() if process.stdout else ""
            if not address:
                raise RuntimeError("the emulator did not start; what it said is on standard error")
            yield address
        finally:
            # It ends with its input, however this process ends.
            if process.stdin:
                process.stdin.close()
            try:
                process.wait(_ENDS_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="session")
def gudok_emulator_url() -> Iterator[str]:
    """The address of the one emulator that the tests of this process share, each with an empty account."""
    with running_emulator() as address:
        yield address


@pytest.fixture
def gudok_emulator_options() -> dict[str, Any]:
    """Settings of the emulator; override it for others: `{"webhook_url": ..., "webhook_retries": True}`."""
    return {}


@pytest.fixture
def gudok_emulator(gudok_emulator_url: str, gudok_emulator_options: dict[str, Any]) -> GudokEmulator:
    """A PortOne V1 with an empty account of the test's own."""
    emulator = GudokEmulator(gudok_emulator_url)
    emulator.reset(**gudok_emulator_options)
    return emulator
