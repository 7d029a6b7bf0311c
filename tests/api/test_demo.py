"""The demo is told to its end or says what went wrong: every story a row, whatever an answer was."""

import asyncio
import io
import json
from dataclasses import replace

import aiohttp
import pytest
from rich.console import Console

from api import demo as demonstration
from api import demo_calls
from api.connections import own_connections
from api.demo import STORIES, Story, tell
from api.demo_calls import ApiCalls, DemoFailedError
from api.demo_report import Ending, Expected, print_report
from api.listening import Listener, listen
from api.ports import Ports
from api.processes import LocalStack
from tests.patience import PATIENCE_SECONDS


class Scripted:
    """A server on a socket that answers each request with the next of what it was told, and keeps what it got."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.got = []
        self.connections = 0

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                length = int({name.lower(): value for name, value in headers.items()}.get("content-length", 0))
                await reader.readexactly(length)
                self.got.append((head.split()[0], headers.get("Idempotency-Key")))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    return
                status, body = answer
                text = (body if isinstance(body, str) else json.dumps(body)).encode()
                kind = "Content-Type: application/json"
                writer.write(f"HTTP/1.1 {status} X\r\n{kind}\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text)
                await writer.drain()
                if "close" in headers.get("Connection", ""):
                    return
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()


@pytest.fixture
async def calls():
    async with own_connections(seconds=10) as session:
        yield lambda server, patience=20.0: ApiCalls(session, server.url, {}, patience_seconds=patience)


async def test_a_202_is_followed_to_its_end_under_the_same_key(calls):
    async with Scripted((202, {"status": "incomplete"}), (202, {}), (201, {"status": "active"})) as api:
        assert await calls(api).post("/v1/subscriptions", {}, 201, key="one") == {"status": "active"}
    assert api.got == [("POST", "one")] * 3


async def test_a_202_that_never_ends_is_a_failure_with_its_last_words(calls):
    async with Scripted((202, {"detail": "still open"})) as api:
        with pytest.raises(DemoFailedError, match="is still open after 0 s; last 202: still open"):
            await calls(api, 0.3).post("/v1/subscriptions", {}, 201, key="one")


@pytest.mark.parametrize(
    ("status", "body"),
    [(502, "<html>Bad Gateway</html>"), (500, ""), (200, "not json"), (201, "[]"), (201, '"x"'), (502, "\ufffd\x00")],
    ids=str,
)
async def test_an_answer_that_is_no_json_document_is_told_by_its_status(calls, status, body):
    async with Scripted((status, body)) as api:
        with pytest.raises(DemoFailedError, match=f"POST /v1/payments answered {status} without a JSON document"):
            await calls(api).post("/v1/payments", {}, 201, key="one")
        with pytest.raises(DemoFailedError, match=f"GET /v1/payments/x answered {status} without a JSON document"):
            await calls(api).get("/v1/payments/x")


async def test_a_refusal_is_told_with_its_reason_and_not_asked_for_again(calls):
    async with Scripted((402, {"detail": "한도초과", "code": "card_declined"})) as api:
        with pytest.raises(DemoFailedError, match="POST /v1/subscriptions answered 402: 한도초과"):
            await calls(api).post("/v1/subscriptions", {}, 201, key="one")
    assert len(api.got) == 1


async def test_what_got_no_byte_of_an_answer_is_sent_again_only_where_that_is_safe(calls):
    async with Scripted(None, (201, {"status": "active"})) as api:
        assert await calls(api).post("/v1/subscriptions", {}, 201, key="one") == {"status": "active"}
        assert api.got == [("POST", "one")] * 2
    async with Scripted(None, (200, {"status": "active"})) as api:
        assert await calls(api).get("/v1/subscriptions/x") == {"status": "active"}
    async with Scripted(None, (200, {"charge": "revoked"})) as api:
        assert await calls(api).post_once("/v1/subscriptions/x/cancel", {}) is None
        assert api.got == [("POST", None)]


async def test_no_request_meets_a_connection_that_the_other_side_may_just_have_closed(calls):
    async with Scripted((200, {"events": []})) as api:
        for _ in range(3):
            await calls(api).get("/v1/events")
        assert api.connections == len(api.got) == 3


async def test_listen_asks_on_a_connection_of_its_own_and_waits_where_no_events_are_answered():
    event = {"number": 1, "at": "2026-01-01T00:00:00Z", "type": "charge.paid", "customer_uid": "kim", "summary": "here"}
    out = io.StringIO()
    async with Scripted((200, "not json"), (200, "[]"), (200, {"events": [event]})) as api:
        listener = Listener(api.url, "key", from_start=True, say=Console(file=out))
        listening = asyncio.create_task(listen(listener, Console(file=out, width=200), as_json=False, forwarding=None))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while "here" not in out.getvalue():
                await asyncio.wait({listening}, timeout=0.05)
                assert not listening.done()
        listening.cancel()
        assert api.connections == len(api.got) >= 3
    assert "the api answers again" in out.getvalue()


async def broken(_teller, _story):
    raise aiohttp.ServerDisconnectedError


async def declined(teller, story):
    await teller.subscribe(story, "0001")


async def test_a_story_that_fails_is_a_row_with_its_reason_and_the_others_go_on(stack, tmp_path, monkeypatch):
    monkeypatch.setattr(demo_calls, "PATIENCE_SECONDS", 30.0)
    api, emulator = (int(str(client.base_url).rpartition(":")[2].strip("/")) for client in (stack.api, stack.emulator))
    local = LocalStack(folder=tmp_path, ports=Ports(1, 2, emulator, api), say=print)
    paid_once = next(story for story in STORIES if story.is_one_payment)
    stories = (
        Story("breaks", "breaks", Expected(1, "active"), broken),
        Story("declined", "declined", Expected(1, "active"), declined),
        replace(paid_once, expected=Expected(2, "paid")),
        Story("goes on", "goes_on", Expected(2, "active"), goes_on),
    )
    out = io.StringIO()
    console = Console(file=out, width=200)
    endings = await tell(console, local, stack.temporal, stories)
    print_report(console, tmp_path, endings, [], to_start=3.0, to_bill=4.0)
    told = out.getvalue()
    assert [ending.is_right for ending in endings] == [False, False, False, True]
    assert "Traceback" not in told
    assert "FAILED: ServerDisconnectedError" in told
    assert "FAILED: POST /v1/subscriptions answered 402" in told
    assert "1 charges instead of 2" in told
    assert "3 of 4 stories went wrong, after 7 s: 3 s to start, 4 s to bill." in told
    assert f"gudok up --data {tmp_path}" in told
    for text in ("/workflows/subscription%2Fdeclined", "merchant_uid", "worker.log", "api.log"):
        assert text in told


async def goes_on(teller, story):
    await teller.subscribe(story, "7890")
    await teller.go_on(story, 40)


async def test_a_demo_with_a_failed_story_ends_with_1(monkeypatch, tmp_path):
    async def failed(*_, **__):
        return False

    from typer.testing import CliRunner  # noqa: PLC0415

    from api.cli import app  # noqa: PLC0415

    monkeypatch.setattr(demonstration, "demo", failed)
    done = await asyncio.to_thread(CliRunner().invoke, app, ["demo", "--data", str(tmp_path)])
    assert done.exit_code == 1


def test_books_that_differ_name_the_orders():
    ending = Ending("x", Expected(2, "active"), charged=2, written=1, status="active", unequal=("s1", "s2"))
    assert not ending.is_right
    assert ending.why_wrong() == "PortOne and the ledger differ about s1, s2"


def test_a_card_number_in_a_file_is_no_good_end(tmp_path):
    out = io.StringIO()
    ending = Ending("x", Expected(1, "paid"), charged=1, written=1, status="paid")
    print_report(Console(file=out, width=200), tmp_path, [ending], ["logs/api.log"], to_start=1.0, to_bill=1.0)
    assert "logs/api.log" in out.getvalue()
    assert "but a card number was written to a file, after 2 s" in out.getvalue()
