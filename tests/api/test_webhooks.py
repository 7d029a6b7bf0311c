"""A webhook is stored, counted and answered 200, and never believed."""

import asyncio

import pytest

from billing.domain.notice_token import sign_notice
from billing.ledger import LedgerLockedError
from tests.api.requests import assert_problem
from tests.patience import PATIENCE_SECONDS, patient_client
from tests.soaking import soaking
from tests.stack import now

SAYS_PAID = {"imp_uid": "imp_000000000001", "merchant_uid": "nobody-1", "status": "paid"}


def token(stack, uid, merchant_uid, *, secret=None):
    return sign_notice(
        secret or stack.settings.webhook_secret[0].get_secret_value(), f"subscription/{uid}", merchant_uid
    )


async def hook(stack, path, body, **more):
    """A webhook as PortOne sends it: no API key."""
    async with patient_client(stack.api.base_url) as portone:
        return await portone.post(path, json=body, **more)


async def bells(stack, workflow_id, imp_uid):
    """How often the workflow was told of this payment."""
    history = await stack.temporal.get_workflow_handle(workflow_id).fetch_history()
    signals = [event.workflow_execution_signaled_event_attributes for event in history.events]
    return sum(
        imp_uid.encode() in payload.data
        for signal in signals
        if signal.signal_name == "payment_reported"
        for payload in signal.input.payloads
    )


async def started(stack):
    """A subscription that has heard no webhook, and the order number of its next charge, which stands at PortOne."""
    await stack.fault(path="webhook", kind="drop_webhook")
    uid = await stack.start()
    number = (await stack.snapshot(uid))["merchant_uid"]
    limit = now().timestamp() + PATIENCE_SECONDS
    while await stack.portone.find_schedule(number) is None:
        assert now().timestamp() < limit
        await asyncio.sleep(0.02)
    return uid, number


async def looked_into(stack, uid, imp_uid):
    """Once the workflow has asked PortOne for the payment a webhook named, and has nothing more under way."""
    handle = stack.handle(uid)
    limit = now().timestamp() + PATIENCE_SECONDS
    while True:
        events = (await handle.fetch_history()).events
        orders = [event.activity_task_scheduled_event_attributes for event in events]
        asked = [order for order in orders if any(imp_uid.encode() in part.data for part in order.input.payloads)]
        if asked and not (await handle.describe()).raw_description.pending_activities:
            return
        assert now().timestamp() < limit
        await asyncio.sleep(0.05)


# ---------------------------------------------------------------- where it belongs


async def test_a_webhook_that_meets_a_locked_ledger_is_stored_by_the_same_request(idle_stack, monkeypatch):
    ledger, receive, refusals = idle_stack.ledger, idle_stack.ledger.receive_webhook, [LedgerLockedError("locked")]

    async def locked_at_first(hook, at):
        if refusals:
            raise refusals.pop()
        return await receive(hook, at)

    monkeypatch.setattr(ledger, "receive_webhook", locked_at_first)
    said = {**SAYS_PAID, "merchant_uid": "locked-1"}
    assert (await hook(idle_stack, "/webhooks/portone", said)).status_code == 200
    assert [row.merchant_uid for row in await ledger.list_webhooks("locked-1")] == ["locked-1"]


async def test_a_webhook_that_cannot_be_stored_is_not_answered_200(idle_stack, monkeypatch):
    """Answered so, it would never come again."""
    ledger, receive, said = idle_stack.ledger, idle_stack.ledger.receive_webhook, {**SAYS_PAID, "merchant_uid": "away"}

    async def locked(hook, at):
        raise LedgerLockedError("locked")

    monkeypatch.setattr(ledger, "receive_webhook", locked)
    refused = await hook(idle_stack, "/webhooks/portone", said)
    assert (refused.status_code, refused.json()["code"]) == (503, "ledger_unavailable")
    monkeypatch.setattr(ledger, "receive_webhook", receive)
    assert await ledger.list_webhooks("away") == []
    assert (await hook(idle_stack, "/webhooks/portone", said)).status_code == 200
    assert [row.count for row in await ledger.list_webhooks("away")] == [1]


@pytest.mark.parametrize(
    ("path", "route"), [("/webhooks/portone", "console"), ("/iamport-callback/schedule", "schedule")]
)
async def test_a_webhook_of_an_order_nobody_knows_is_kept_and_answered_200(idle_stack, path, route):
    body = {**SAYS_PAID, "merchant_uid": f"nobody-{route}"}
    assert (await hook(idle_stack, path, body)).status_code == 200
    [row] = await idle_stack.ledger.list_webhooks(body["merchant_uid"])
    assert (row.disposition, row.route, row.count, row.rung_at) == ("unknown_order", route, 1, None)


@pytest.mark.parametrize("path", ["/webhooks/portone", "/iamport-callback/schedule"])
async def test_a_webhook_to_the_console_s_url_finds_the_workflow_of_its_order(stack, path):
    uid, number = await started(stack)
    body = {"imp_uid": "imp_111", "merchant_uid": number, "status": "paid"}
    assert (await hook(stack, path, body)).status_code == 200
    await looked_into(stack, uid, "imp_111")
    [row] = await stack.ledger.list_webhooks(number)
    assert (row.workflow_id, row.rung_at is None) == (f"subscription/{uid}", False)
    assert await bells(stack, f"subscription/{uid}", "imp_111") == 1


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda genuine: genuine[:-1] + ("A" if genuine[-1] != "A" else "B"), id="last_sign_changed"),
        pytest.param(lambda genuine: "A" + genuine[1:], id="first_sign_changed"),
        pytest.param(lambda genuine: genuine.partition(".")[0], id="no_signature"),
        pytest.param(lambda genuine: genuine.partition(".")[0] + ".", id="an_empty_signature"),
        pytest.param(lambda genuine: genuine[:-1], id="a_shorter_signature"),
        pytest.param(lambda genuine: genuine + "A", id="a_longer_signature"),
        pytest.param(lambda genuine: "." + genuine.partition(".")[2], id="a_signature_alone"),
        pytest.param(lambda genuine: genuine.replace(".", ".."), id="two_dots"),
        pytest.param(lambda _genuine: "A" * 600, id="too_long"),
        pytest.param(lambda _genuine: "%ED%86%A0%ED%81%B0", id="Hangul"),
        pytest.param(lambda _genuine: "%00", id="NUL"),
        pytest.param(lambda _genuine: "%FF%FE", id="not_UTF_8"),
    ],
)
async def test_a_forged_token_is_answered_404_and_leaves_nothing(idle_stack, forge):
    genuine = token(idle_stack, "buyer", "nobody-forged")
    body = {**SAYS_PAID, "merchant_uid": "nobody-forged"}
    answer = await hook(idle_stack, f"/webhooks/portone/{forge(genuine)}", body)
    assert_problem(answer, status=404, code="not_found")
    assert await idle_stack.ledger.list_webhooks("nobody-forged") == []


async def test_a_token_under_another_secret_is_answered_404(idle_stack):
    forged = token(idle_stack, "buyer", "nobody-secret", secret="another-secret")
    body = {**SAYS_PAID, "merchant_uid": "nobody-secret"}
    assert_problem(await hook(idle_stack, f"/webhooks/portone/{forged}", body), status=404, code="not_found")
    assert await idle_stack.ledger.list_webhooks("nobody-secret") == []


async def test_a_token_speaks_of_its_own_order_only(stack):
    uid, number = await started(stack)
    genuine = token(stack, uid, number)
    body = {"imp_uid": "imp_111", "merchant_uid": "another-order", "status": "paid"}
    assert_problem(await hook(stack, f"/webhooks/portone/{genuine}", body), status=404, code="not_found")
    assert await stack.ledger.list_webhooks("another-order") == []
    assert await bells(stack, f"subscription/{uid}", "imp_111") == 0


async def test_a_forged_token_and_a_wrong_order_look_the_same(idle_stack):
    genuine = token(idle_stack, "buyer", "nobody-same")
    forged = await hook(idle_stack, f"/webhooks/portone/{genuine[:-1]}", SAYS_PAID)
    wrong = await hook(idle_stack, f"/webhooks/portone/{genuine}", SAYS_PAID)
    assert (forged.status_code, forged.json()) == (wrong.status_code, wrong.json())


async def test_a_token_of_an_ended_workflow_is_answered_200_and_its_payment_looked_up(stack):
    uid, number = await started(stack)
    assert (await stack.api.post(f"/v1/subscriptions/{uid}/cancel", json={"at": "now"})).status_code == 200
    await stack.handle(uid).result()
    body = {"imp_uid": f"imp_{uid}", "merchant_uid": number, "status": "paid"}
    assert (await hook(stack, f"/webhooks/portone/{token(stack, uid, number)}", body)).status_code == 200
    settled = await stack.temporal.get_workflow_handle(f"fact/imp_{uid}").result()
    [row] = await stack.ledger.list_webhooks(number)
    assert (settled["state"], row.disposition, row.rung_at is None) == ("unknown_payment", "mismatch", False)


async def test_a_webhook_of_an_ended_workflow_that_says_what_is_booked_is_noted_as_stale(stack):
    uid, _ = await started(stack)
    [first] = [charge for charge in await stack.charges(uid) if charge["state"] == "paid"]
    assert (await stack.api.post(f"/v1/subscriptions/{uid}/cancel", json={"at": "now"})).status_code == 200
    await stack.handle(uid).result()
    body = {"imp_uid": first["imp_uid"], "merchant_uid": first["merchant_uid"], "status": "paid"}
    path = f"/webhooks/portone/{token(stack, uid, first['merchant_uid'])}"
    assert (await hook(stack, path, body)).status_code == 200
    [row] = await stack.ledger.list_webhooks(first["merchant_uid"])
    assert (row.disposition, row.rung_at is None) == ("stale", False)


# ---------------------------------------------------------------- once


@pytest.mark.parametrize("at_once", [False, True], ids=["one_after_the_other", "at_once"])
async def test_a_webhook_that_comes_twice_is_counted_and_rings_once(stack, at_once):
    uid, number = await started(stack)
    path = f"/webhooks/portone/{token(stack, uid, number)}"
    body = {"imp_uid": "imp_222", "merchant_uid": number, "status": "failed"}
    if at_once:
        answers = await asyncio.gather(*(hook(stack, path, body) for _ in range(2)))
    else:
        answers = [await hook(stack, path, body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    await looked_into(stack, uid, "imp_222")
    [row] = await stack.ledger.list_webhooks(number)
    assert row.count == 2
    assert await bells(stack, f"subscription/{uid}", "imp_222") == 1


async def test_the_same_words_by_another_way_in_are_the_same_webhook(stack):
    uid, number = await started(stack)
    body = {"imp_uid": "imp_333", "merchant_uid": number, "status": "paid"}
    for path in (f"/webhooks/portone/{token(stack, uid, number)}", "/webhooks/portone", "/iamport-callback/schedule"):
        assert (await hook(stack, path, body)).status_code == 200
    [row] = await stack.ledger.list_webhooks(number)
    assert (row.count, row.route) == (3, "token")
    assert await bells(stack, f"subscription/{uid}", "imp_333") == 1


async def test_two_cancellations_of_one_payment_are_two_webhooks(idle_stack):
    body = {"imp_uid": "imp_1", "merchant_uid": "nobody-cancelled", "status": "cancelled"}
    for cancellation in ("c1", "c2", "c2"):
        await hook(idle_stack, "/webhooks/portone", {**body, "cancellation_id": cancellation})
    rows = await idle_stack.ledger.list_webhooks("nobody-cancelled")
    assert {row.cancellation_id: row.count for row in rows} == {"c1": 1, "c2": 2}


# ---------------------------------------------------------------- never believed


@pytest.mark.parametrize("status", soaking(["paid", "failed", "cancelled", "ready"], beside=["paid"]))
async def test_a_webhook_of_a_cycle_that_portone_has_not_run_changes_nothing(stack, status):
    uid, number = await started(stack)
    before = await stack.subscription(uid)
    charge = await stack.ledger.get_charge(number)
    body = {"imp_uid": "imp_lie", "merchant_uid": number, "status": status}
    assert (await hook(stack, f"/webhooks/portone/{token(stack, uid, number)}", body)).status_code == 200
    await looked_into(stack, uid, "imp_lie")
    after = await stack.subscription(uid)
    for shown in ("status", "current_period_start", "current_period_end"):
        assert after[shown] == before[shown]
    assert after["cycle"]["number"] == before["cycle"]["number"]
    assert after["cycle"]["failed_attempts"] == 0
    told = await stack.ledger.get_charge(number)
    assert (told.imp_uid, told.settled_at, told.amount) == (None, None, charge.amount)
    assert told.state not in ("paid", "declined", "refunded", "late_paid")
    assert len((await stack.books(uid))["charges"]) == 1
    # And the cycle is charged when it is due, once.
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2


async def test_a_webhook_that_names_another_payment_than_the_charged_one_changes_nothing(stack):
    uid, _ = await started(stack)
    [first] = [charge for charge in await stack.charges(uid) if charge["state"] == "paid"]
    body = {"imp_uid": "imp_lie", "merchant_uid": first["merchant_uid"], "status": "cancelled"}
    path = f"/webhooks/portone/{token(stack, uid, first['merchant_uid'])}"
    assert (await hook(stack, path, body)).status_code == 200
    await looked_into(stack, uid, "imp_lie")
    charge = await stack.ledger.get_charge(first["merchant_uid"])
    assert (charge.state, charge.imp_uid) == ("paid", first["imp_uid"])
    assert (await stack.subscription(uid))["status"] == "active"
    assert await stack.agree(uid) == 1


# ---------------------------------------------------------------- bodies

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("way", ["token", "console", "schedule"])
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        pytest.param(b"\xff\xfe\xfd", JSON, id="not_UTF_8"),
        pytest.param(b'{"imp_uid": "\xff", "merchant_uid": "nobody-bad"}', JSON, id="not_UTF_8_inside"),
        pytest.param(b"\x00", JSON, id="NUL"),
        pytest.param(b'{"imp_uid": "a\\u0000", "merchant_uid": "nobody-bad"}', JSON, id="an_escaped_NUL"),
        pytest.param(b'{"imp_uid": "a\x00", "merchant_uid": "nobody-bad"}', JSON, id="a_bare_NUL"),
        pytest.param(b'{"imp_uid": "\\ud800", "merchant_uid": "nobody-bad"}', JSON, id="half_a_pair"),
        pytest.param(b"[]", JSON, id="a_list"),
        pytest.param(b'[{"imp_uid": "imp_1", "merchant_uid": "nobody-bad"}]', JSON, id="a_list_of_one"),
        pytest.param(b"", JSON, id="empty"),
        pytest.param(b"{}", JSON, id="an_empty_object"),
        pytest.param(b"null", JSON, id="null"),
        pytest.param(b'"imp_1"', JSON, id="a_string"),
        pytest.param(b"NaN", JSON, id="NaN"),
        pytest.param(b'{"imp_uid": NaN, "merchant_uid": "nobody-bad"}', JSON, id="NaN_inside"),
        pytest.param(b'{"imp_uid": Infinity, "merchant_uid": "nobody-bad"}', JSON, id="Infinity_inside"),
        pytest.param(b"[" * 15_000, JSON, id="deep_nesting"),
        pytest.param(b'{"a":' * 3000 + b"1" + b"}" * 3000, JSON, id="deep_objects"),
        pytest.param(b"9" * 5000, JSON, id="a_number_of_5000_digits"),
        pytest.param(b'{"imp_uid": 1, "merchant_uid": "nobody-bad"}', JSON, id="imp_uid_a_number"),
        pytest.param(b'{"imp_uid": null, "merchant_uid": "nobody-bad"}', JSON, id="imp_uid_null"),
        pytest.param(b'{"imp_uid": "", "merchant_uid": "nobody-bad"}', JSON, id="imp_uid_empty"),
        pytest.param(b'{"imp_uid": "a b", "merchant_uid": "nobody-bad"}', JSON, id="imp_uid_with_a_space"),
        pytest.param(b'{"imp_uid": "a\\n", "merchant_uid": "nobody-bad"}', JSON, id="imp_uid_with_a_newline"),
        pytest.param(b'{"imp_uid": "' + b"a" * 41 + b'", "merchant_uid": "nobody-bad"}', JSON, id="imp_uid_too_long"),
        pytest.param(b'{"merchant_uid": "nobody-bad"}', JSON, id="no_imp_uid"),
        pytest.param(b'{"imp_uid": "imp_1"}', JSON, id="no_merchant_uid"),
        pytest.param(
            b'{"imp_uid": "imp_1", "merchant_uid": "nobody-bad", "status": "PAID!"}', JSON, id="a_status_of_no_words"
        ),
        pytest.param(
            b'{"imp_uid": "imp_1", "merchant_uid": "nobody-bad", "cancellation_id": "a\\u0000"}',
            JSON,
            id="NUL_in_the_cancellation_id",
        ),
        pytest.param(
            b'{"imp_uid": "imp_1", "merchant_uid": "nobody-bad", "x": "' + b"a" * 17_000 + b'"}',
            JSON,
            id="over_16_KiB",
        ),
        pytest.param(b"imp_uid=imp_1&merchant_uid=nobody-bad", JSON, id="a_form_that_says_it_is_JSON"),
        pytest.param(b'{"imp_uid": "imp_1", "merchant_uid": "nobody-bad"}', FORM, id="JSON_that_says_it_is_a_form"),
        pytest.param(b"imp_uid=imp_1", FORM, id="a_form_without_merchant_uid"),
        pytest.param(b"imp_uid=%00&merchant_uid=nobody-bad", FORM, id="NUL_in_a_form"),
        pytest.param(b"imp_uid=%FF&merchant_uid=nobody-bad", FORM, id="no_UTF_8_in_a_form"),
        pytest.param(b"&" * 5000 + b"a=1&" * 2000, FORM, id="a_form_of_2000_fields"),
        pytest.param(b"", FORM, id="an_empty_form"),
    ],
)
async def test_a_webhook_that_is_not_understood_is_answered_400_and_leaves_nothing(idle_stack, way, content, kind):
    path = {
        "token": f"/webhooks/portone/{token(idle_stack, 'buyer', 'nobody-bad')}",
        "console": "/webhooks/portone",
        "schedule": "/iamport-callback/schedule",
    }[way]
    before = await idle_stack.ledger.list_webhooks()
    async with patient_client(idle_stack.api.base_url) as portone:
        answer = await portone.post(path, content=content, headers={"Content-Type": kind})
    assert_problem(answer, status=400, code="malformed_webhook")
    assert await idle_stack.ledger.list_webhooks() == before


@pytest.mark.parametrize("charset", ["", "; charset=UTF-8"])
async def test_a_form_is_read_as_well_as_json(idle_stack, charset):
    number = "nobody-form" + ("-utf" if charset else "")
    body = f"imp_uid=imp_1&merchant_uid={number}&status=paid&extra=1"
    async with patient_client(idle_stack.api.base_url) as portone:
        answer = await portone.post("/webhooks/portone", content=body, headers={"Content-Type": FORM + charset})
    assert answer.status_code == 200
    [row] = await idle_stack.ledger.list_webhooks(number)
    assert (row.imp_uid, row.status, row.count) == ("imp_1", "paid", 1)


async def test_the_media_type_of_a_form_may_be_written_in_capitals(idle_stack):
    body = "imp_uid=imp_1&merchant_uid=nobody-capitals&status=paid"
    async with patient_client(idle_stack.api.base_url) as portone:
        answer = await portone.post("/webhooks/portone", content=body, headers={"Content-Type": FORM.upper()})
    assert answer.status_code == 200
    assert len(await idle_stack.ledger.list_webhooks("nobody-capitals")) == 1


async def test_fields_nobody_asked_for_are_left_aside(idle_stack):
    body = {**SAYS_PAID, "merchant_uid": "nobody-more", "card_number": "4518421234567890", "amount": float(1)}
    assert (await hook(idle_stack, "/webhooks/portone", body)).status_code == 200
    [row] = await idle_stack.ledger.list_webhooks("nobody-more")
    assert "4518" not in repr(row)


# ---------------------------------------------------------------- from where

PROXY = "10.0.0.2"
PORTONE = "52.78.100.19"
