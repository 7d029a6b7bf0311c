"""Where a webhook without a token may come from, counted past trusted proxies only."""

import dataclasses

import pytest
from starlette.requests import Request

from api.security import client_address, is_within
from billing.settings import PORTONE_WEBHOOK_ADDRESSES
from tests.api.requests import assert_problem
from tests.patience import patient_client

PORTONE = "52.78.100.19"
PROXY = "10.0.0.2"
SAYS_PAID = {"imp_uid": "imp_000000000001", "merchant_uid": "nobody-1", "status": "paid"}


async def hook(stack, path, body, **more):
    """A webhook as PortOne sends it: no API key."""
    async with patient_client(stack.api.base_url) as portone:
        return await portone.post(path, json=body, **more)


def request_from(peer, *forwarded):
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return Request({"type": "http", "client": (peer, 1234) if peer else None, "headers": headers})


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "seen"),
    [
        pytest.param("203.0.113.9", [PORTONE], (), "203.0.113.9", id="no_proxy_is_trusted"),
        pytest.param("203.0.113.9", [PORTONE], (PROXY,), "203.0.113.9", id="the_peer_is_no_proxy_of_ours"),
        pytest.param(PROXY, [PORTONE], (PROXY,), PORTONE, id="one_proxy"),
        pytest.param(PROXY, [PORTONE], ("10.0.0.0/8",), PORTONE, id="a_network_of_proxies"),
        pytest.param(PROXY, [f"{PORTONE}, 203.0.113.9"], (PROXY,), "203.0.113.9", id="what_the_client_wrote_is_left"),
        pytest.param(PROXY, [PORTONE, "203.0.113.9"], (PROXY,), "203.0.113.9", id="two_header_lines"),
        pytest.param(PROXY, [f"{PORTONE},10.0.0.3"], ("10.0.0.0/8",), PORTONE, id="two_proxies"),
        pytest.param(PROXY, [f"{PORTONE}, 203.0.113.9, {PROXY}"], (PROXY,), "203.0.113.9", id="counted_from_right"),
        pytest.param(PROXY, [], (PROXY,), PROXY, id="no_header"),
        pytest.param(PROXY, ["10.0.0.3"], ("10.0.0.0/8",), PROXY, id="proxies_alone"),
        pytest.param(PROXY, [f"{PORTONE}, unknown"], (PROXY,), "unknown", id="a_word_hides_what_is_left_of_it"),
        pytest.param("::1", [PORTONE], ("::1",), PORTONE, id="a_proxy_by_IPv6"),
        pytest.param("::1", ["2001:db8::1"], ("::1",), "2001:db8::1", id="a_client_by_IPv6"),
        pytest.param("", [PORTONE], (PROXY,), "", id="no_peer"),
    ],
)
def test_the_address_of_a_request_is_counted_past_trusted_proxies_only(peer, forwarded, trusted, seen):
    assert client_address(request_from(peer, *forwarded), trusted) == seen


@pytest.mark.parametrize("address", ["", "unknown", "52.78.100.19:443", "52.78.100", "_hidden", "52.78.100.19\n", "%"])
def test_what_is_no_address_is_in_no_network(address):
    assert not is_within(address, ("0.0.0.0/0", "::/0"))


@pytest.mark.parametrize(
    ("trusted", "forwarded", "status"),
    [
        pytest.param((), None, 200, id="loopback_on_a_machine_to_try_things_on"),
        pytest.param((), "203.0.113.9", 200, id="the_header_is_not_read"),
        pytest.param(("127.0.0.0/8",), PORTONE, 200, id="PortOne_behind_a_proxy"),
        pytest.param(("127.0.0.0/8",), "203.0.113.9", 403, id="a_stranger_behind_a_proxy"),
        pytest.param(("127.0.0.0/8",), f"{PORTONE}, 203.0.113.9", 403, id="a_stranger_who_says_he_is_PortOne"),
        pytest.param(("127.0.0.0/8",), "unknown", 403, id="nobody"),
    ],
)
@pytest.mark.parametrize("path", ["/webhooks/portone", "/iamport-callback/schedule"])
async def test_the_urls_without_a_token_are_open_to_portone_alone(idle_stack, path, trusted, forwarded, status):
    desk = idle_stack.app.state.desk
    settings = desk.settings.model_copy(update={"trusted_proxies": trusted})
    idle_stack.app.state.desk = dataclasses.replace(desk, settings=settings)
    try:
        headers = {"X-Forwarded-For": forwarded} if forwarded else {}
        answer = await hook(idle_stack, path, SAYS_PAID, headers=headers)
    finally:
        idle_stack.app.state.desk = desk
    assert answer.status_code == status
    if status == 403:
        assert_problem(answer, status=403, code="forbidden")


@pytest.mark.parametrize("forwarded", [PORTONE, None])
async def test_where_only_portone_may_call_loopback_is_refused(idle_stack, forwarded):
    desk = idle_stack.app.state.desk
    settings = desk.settings.model_copy(update={"webhook_allowed_ips": PORTONE_WEBHOOK_ADDRESSES})
    idle_stack.app.state.desk = dataclasses.replace(desk, settings=settings)
    try:
        headers = {"X-Forwarded-For": forwarded} if forwarded else {}
        answer = await hook(idle_stack, "/webhooks/portone", SAYS_PAID, headers=headers)
    finally:
        idle_stack.app.state.desk = desk
    assert_problem(answer, status=403, code="forbidden")
