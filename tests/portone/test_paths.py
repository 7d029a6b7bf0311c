"""No value can leave its place in a path, and no call that must not be made leaves at all."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.domain.money import Money
from billing.portone.exchange import Call, quote_segment

START = datetime(2030, 1, 1, tzinfo=UTC)
RANGE = {"start": START, "end": START + timedelta(days=30)}

EVIL = [
    "",
    ".",
    "..",
    "a/b",
    "../users/pg",
    "..%2Fusers",
    "a%2Fb",
    "%2e%2e",
    "a\\b",
    "a?b=1",
    "a#b",
    "a..b",
    "a\nb",
    "a\r\nHost: evil",
    "a\x00b",
    "a\x7fb",
    "a\x85b",
    "a\u2028b",
    "a\u202eb",
    "a\udc80b",
    "x" * 129,
]

CALLS = {
    "find_billing_key": lambda client, uid: client.find_billing_key(uid),
    "delete_billing_key": lambda client, uid: client.delete_billing_key(uid),
    "list_billing_key_payments": lambda client, uid: client.list_billing_key_payments(uid),
    "list_billing_key_schedules": lambda client, uid: client.list_billing_key_schedules(uid, **RANGE),
    "list_customer_schedules": lambda client, uid: client.list_customer_schedules(uid, **RANGE),
    "find_schedule": lambda client, uid: client.find_schedule(uid),
    "move_schedule": lambda client, uid: client.move_schedule(uid, START),
    "reschedule": lambda client, uid: client.reschedule(uid, START),
    "retry_schedule": lambda client, uid: client.retry_schedule(uid),
    "find_payment": lambda client, uid: client.find_payment(uid),
    "find_payment_by_merchant_uid": lambda client, uid: client.find_payment_by_merchant_uid(uid),
    "find_payment_by_status": lambda client, uid: client.find_payment_by_merchant_uid("order_1", status=uid),
    "find_all_payments": lambda client, uid: client.find_all_payments(uid),
    "find_all_payments_by_status": lambda client, uid: client.find_all_payments("order_1", status=uid),
    "list_payments_by_status": lambda client, uid: client.list_payments_by_status(uid),
    "find_prepared": lambda client, uid: client.find_prepared(uid),
    "prepare": lambda client, uid: client.prepare(uid, Money(9900)),
    "change_prepared": lambda client, uid: client.change_prepared(uid, Money(9900)),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_uid_that_could_leave_the_path_is_refused_before_anything_is_sent(wire, client, name):
    for evil in EVIL:
        with pytest.raises(ValueError, match="must") as raised:
            await CALLS[name](client, evil)
        assert len(evil) < 4 or evil not in str(raised.value), "what was refused is not echoed"
    assert wire.requests == []
    assert wire.token_requests == []


async def test_a_key_is_issued_for_no_uid_that_could_leave_the_path(wire, client):
    for evil in (*EVIL, "가나다", "a b", "x" * 81, "-a"):
        with pytest.raises(ValueError, match="customer_uid"):
            await client.issue_billing_key(evil, wire.issue())
    assert wire.requests == []
    assert wire.token_requests == []


async def test_a_uid_reaches_portone_as_one_segment_and_whole(wire, client):
    wire.says(wire.envelope(wire.key()))
    await client.find_billing_key("user@shop.kr:card_1")
    assert wire.raw_path == "/subscribe/customers/user%40shop.kr%3Acard_1"
    assert wire.requests[-1].url.path == "/subscribe/customers/user@shop.kr:card_1"


async def test_a_uid_of_another_system_can_be_looked_up(wire, client):
    wire.says(wire.envelope(wire.key()))
    await client.find_billing_key("회원 1;v=2")
    assert wire.requests[-1].url.path == "/subscribe/customers/회원 1;v=2"
    assert wire.raw_path.count("/") == 3


def test_a_call_shows_its_route_and_nothing_of_its_values():
    call = Call("GET", "/payments/{imp_uid}", {"imp_uid": "imps_1"}, query=(("a", "b"),), body={"card_number": "5409"})
    assert call.operation == "GET /payments/{imp_uid}"
    shown = repr(call)
    for value in ("imps_1", "5409", "('a', 'b')"):
        assert value not in shown


def test_a_segment_may_not_be_longer_than_any_uid():
    assert quote_segment("uid", "x" * 128) == "x" * 128


@pytest.mark.parametrize("named", [[], (), ["", "order_1"], "order_1"])
async def test_revoking_every_schedule_of_a_key_cannot_be_asked_for(wire, client, named):
    with pytest.raises(ValueError, match=r"order number|empty"):
        await client.unschedule("u-1", named)
    assert wire.token_requests == []


async def test_revoking_names_the_order_numbers(wire, client):
    wire.says(wire.envelope([wire.schedule(schedule_status="revoked")]))
    (revoked,) = await client.unschedule("u-1", ["order_1"])
    assert revoked.schedule_status == "revoked"
    assert wire.body() == {"customer_uid": "u-1", "merchant_uid": ["order_1"]}


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.list_schedules(start=START, end=START),
        lambda client: client.list_schedules(start=START.replace(tzinfo=None), end=START),
        lambda client: client.list_schedules(**RANGE, limit=0),
        lambda client: client.list_schedules(**RANGE, limit=1001),
        lambda client: client.list_schedules(**RANGE, page=0),
        lambda client: client.list_customer_schedules("u-1", start=START, end=START - timedelta(days=1)),
        lambda client: client.list_payments_by_status("paid", page=-1),
        lambda client: client.list_payments(imp_uids=["imps_1", ""]),
        lambda client: client.move_schedule("order_1", START.replace(tzinfo=None)),
        lambda client: client.prepare("order_1", Money(0)),
        lambda client: client.change_prepared("order_1", Money(-1)),
    ],
)
async def test_a_call_that_makes_no_sense_is_not_sent(wire, client, call):
    with pytest.raises(ValueError):  # noqa: PT011 - eleven different sentences
        await call(client)
    assert wire.token_requests == []
