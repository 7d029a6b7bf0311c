"""What the network can do to one call, over real sockets: each trouble ends in time, in an outcome or one error."""

import asyncio
import gzip
import logging
import socket

import httpx
import pytest

from billing.domain.outcomes import ChargeOutcome
from billing.portone import PortOneUnavailableError

NOT_EXECUTED, UNKNOWN, PAID = ChargeOutcome.NOT_EXECUTED, ChargeOutcome.UNKNOWN, ChargeOutcome.PAID
OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"


def answered(body: bytes, *extra: bytes) -> bytes:
    return OK_HEAD + b"".join(line + b"\r\n" for line in extra) + b"\r\n" + body


async def lands_in(client, wire, outcome, *, trouble=None):
    """The same trouble for a charge and for a look-up: an outcome for one, one error for the other."""
    answer = await client.charge_again(wire.again())
    assert answer.outcome is outcome
    with pytest.raises(PortOneUnavailableError) as raised:
        await client.find_payment("imps_123456789012")
    if trouble is not None:
        assert answer.message == trouble
        assert raised.value.message == trouble


async def test_a_refused_connection_executed_nothing(wire):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: nobody else gets the port, and it refuses
        async with wire.client(
            base_url=f"http://127.0.0.1:{taken.getsockname()[1]}", transport=None, timeout_seconds=5
        ) as client:
            answer = await client.charge_again(wire.again())
            assert answer.outcome is NOT_EXECUTED
            assert answer.message == "no access token: ConnectError"
            with pytest.raises(PortOneUnavailableError) as raised:
                await client.find_payment("imps_123456789012")
            assert raised.value.operation == "POST /users/getToken"


async def test_a_connection_refused_after_the_token_was_had_executed_nothing(listening, wire):
    arrived = []
    client = await listening(lambda *_: _note(arrived))
    await client.server_now()
    client._session._edge.base_url = "http://127.0.0.1:1"
    await lands_in(client, wire, NOT_EXECUTED, trouble="ConnectError")
    assert arrived == []


async def _note(arrived):
    arrived.append(1)


async def test_a_connection_closed_before_the_answer_leaves_a_charge_unknown(listening, wire):
    async def closes(_reader, _writer):
        pass

    await lands_in(await listening(closes), wire, UNKNOWN, trouble="RemoteProtocolError")


async def test_a_connection_reset_before_the_answer_leaves_a_charge_unknown(listening, wire):
    async def resets(_reader, writer):
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    await lands_in(await listening(resets), wire, UNKNOWN)


async def test_a_connection_cut_in_the_middle_of_the_answer_leaves_a_charge_unknown(listening, wire):
    async def cuts(_reader, writer):
        writer.write(answered(b'{"code":0,', b"Content-Length: 4096"))
        await writer.drain()

    await lands_in(await listening(cuts), wire, UNKNOWN, trouble="RemoteProtocolError")


async def test_a_server_that_never_answers_is_left_at_the_deadline(listening, wire, skip):
    async def waits(reader, _writer):
        skip(60)
        await reader.read()

    await lands_in(await listening(waits, timeout_seconds=60), wire, UNKNOWN)


async def test_a_slow_drip_meets_the_total_deadline_although_every_gap_is_short(listening, wire, skip):
    async def drips(_reader, writer):
        writer.write(OK_HEAD + b"\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            skip(3)
            await asyncio.sleep(0.01)

    client = await listening(drips, timeout_seconds=60)
    await lands_in(client, wire, UNKNOWN, trouble="no answer within the deadline")


async def test_waiting_for_a_token_counts_towards_the_deadline_and_sends_nothing(wire):
    async def never(_request):
        await asyncio.Event().wait()

    wire.token_answer = never
    async with wire.client(timeout_seconds=0.1) as client:
        answer = await client.charge_again(wire.again())
        assert answer.outcome is NOT_EXECUTED
        assert wire.requests == []


async def test_a_redirect_is_not_followed(listening, wire):
    came = []

    async def elsewhere(_reader, _writer):
        came.append(1)

    trap = await listening(elsewhere)
    location = trap._session.base_url.encode() + b"/stolen"

    async def redirects(_reader, writer):
        writer.write(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n")

    client = await listening(redirects)
    answer = await client.charge_again(wire.again())
    assert (answer.outcome, answer.http_status) == (UNKNOWN, 302)
    with pytest.raises(PortOneUnavailableError):
        await client.find_payment("imps_123456789012")
    assert came == []


async def test_a_body_of_five_mebibytes_is_left_after_the_first(client, wire):
    given = []

    async def flood():
        yield b'{"code":0,"message":"'
        for _ in range(5 * 16):
            given.append(65536)
            yield b"x" * 65536
        yield b'","response":null}'

    wire.answer = lambda _request: httpx.Response(200, content=flood())
    await lands_in(client, wire, UNKNOWN, trouble="a body that is too large or encoded")
    assert sum(given) <= 2 * (1024 * 1024 + 65536), "two calls"


async def test_a_body_of_five_mebibytes_over_a_socket_is_no_answer(listening, wire):
    async def floods(_reader, writer):
        writer.write(answered(b'{"code":0,"message":"' + b"x" * 5 * 1024 * 1024 + b'","response":null}'))
        await writer.drain()

    await lands_in(await listening(floods), wire, UNKNOWN, trouble="a body that is too large or encoded")


async def test_a_body_of_exactly_the_cap_is_read_and_one_byte_more_is_not(wire, client):
    row = wire.envelope(wire.payment()).content
    for spare, outcome in ((0, PAID), (1, UNKNOWN)):
        padded = row + b" " * (1024 * 1024 - len(row) + spare)
        wire.says(httpx.Response(200, content=padded))
        assert (await client.charge_again(wire.again())).outcome is outcome


async def test_a_page_of_a_thousand_rows_may_be_longer_but_not_without_end(wire, client):
    rows = [{**wire.payment(), "custom_data": "x" * 8_000, "imp_uid": f"imps_{n:012d}"} for n in range(1000)]
    page = {"total": 1000, "previous": 0, "next": 0, "list": rows}
    wire.says(wire.envelope(page))
    assert len((await client.list_payments_by_status("all", limit=1000)).items) == 1000
    wire.says(wire.envelope({**page, "list": [{**row, "custom_data": "x" * 17_000} for row in rows]}))
    with pytest.raises(PortOneUnavailableError, match="too large"):
        await client.list_payments_by_status("all", limit=1000)


async def test_a_small_body_cannot_unpack_into_a_large_one(listening, wire):
    bomb = gzip.compress(b" " * 50_000_000)

    async def compressed(_reader, writer):
        writer.write(answered(bomb, b"Content-Encoding: gzip"))

    await lands_in(await listening(compressed), wire, UNKNOWN, trouble="a body that is too large or encoded")


async def test_a_compressed_answer_which_was_not_asked_for_is_not_unpacked(listening, wire):
    async def compressed(_reader, writer):
        writer.write(answered(gzip.compress(wire.envelope(wire.payment()).content), b"Content-Encoding: gzip"))

    await lands_in(await listening(compressed), wire, UNKNOWN, trouble="a body that is too large or encoded")


async def test_a_page_of_html_is_no_answer_of_portone(listening, wire):
    async def page(_reader, writer):
        writer.write(answered(b"<html><body>Service Unavailable</body></html>"))

    await lands_in(await listening(page), wire, UNKNOWN, trouble="a body that is not JSON")


async def test_bytes_that_are_no_http_leave_a_charge_unknown(listening, wire):
    async def babbles(_reader, writer):
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")

    await lands_in(await listening(babbles), wire, UNKNOWN, trouble="RemoteProtocolError")


async def test_proxy_variables_are_not_obeyed(listening, wire, monkeypatch):
    async def pays(_reader, writer):
        writer.write(answered(wire.envelope(wire.payment()).content))

    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    client = await listening(pays)
    assert (await client.charge_again(wire.again())).outcome is PAID


async def test_a_caller_who_gives_up_is_not_held(wire):
    entered = asyncio.Event()

    async def never(_request):
        entered.set()
        await asyncio.Event().wait()

    wire.answer = never
    async with wire.client() as client:
        charging = asyncio.create_task(client.charge_again(wire.again()))
        await entered.wait()
        charging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await charging


async def test_no_log_tells_a_url_or_a_token_of_this_client(listening, wire, caplog):
    async def pays(_reader, writer):
        writer.write(answered(wire.envelope(wire.payment()).content))

    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, name)
    client = await listening(pays)
    await client.charge_again(wire.again())
    await client.find_payment("imps_123456789012")
    theirs = [record for record in caplog.records if record.name.startswith(("httpx", "httpcore"))]
    assert theirs == []
    assert "imps_123456789012" not in caplog.text


async def test_other_users_of_httpx_keep_their_logs(wire, caplog):
    caplog.set_level(logging.INFO, "httpx")
    async with wire.client() as client:
        await client.charge_again(wire.again())
        assert caplog.text == ""
        async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(204))) as other:
            await other.get("http://elsewhere.test/page")
    assert "http://elsewhere.test/page" in caplog.text


def test_the_root_logger_is_left_alone(wire):
    root = logging.getLogger()
    before = (root.level, list(root.handlers), list(root.filters))
    wire.client()
    assert (root.level, list(root.handlers), list(root.filters)) == before


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.iamport.kr",
        "ftp://api.iamport.kr",
        "https://",
        "https://user:pass@api.iamport.kr",
        "https://api.iamport.kr?x=1",
        "https://api.iamport.kr#x",
        "https://api.iamport.kr:port",
    ],
)
def test_a_base_url_that_is_no_plain_address_is_refused(wire, base_url):
    with pytest.raises(ValueError, match="base_url"):
        wire.client(base_url=base_url)


async def test_a_base_url_may_have_a_path(wire):
    wire.says(wire.envelope(wire.payment()))
    async with wire.client(base_url="http://portone.test/v1/") as client:
        await client.find_payment("imps_1")
    assert wire.raw_path == "/v1/payments/imps_1"


async def test_a_sub_merchant_is_named_in_a_header(wire):
    async with wire.client(tier="a01") as client:
        await client.charge_again(wire.again())
    assert wire.requests[-1].headers["Tier"] == "a01"
    with pytest.raises(ValueError, match="tier"):
        wire.client(tier="a01\r\nX-Evil: 1")
