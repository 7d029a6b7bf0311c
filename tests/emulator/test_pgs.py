"""Each PG's rules: the emulator's own table says the same as the client's, and holds it against whoever calls."""

import pytest

from billing.domain.pg_capabilities import PG_CAPABILITIES
from billing.domain.pg_capability import ChargesAtIssue, PhoneBilling
from billing.domain.pg_rules import ALWAYS_SENT
from billing.emulator.channels import CHANNELS
from billing.emulator.pgs import NO_CHANNEL, PGS

DAY = 24 * 3600
PHONES = ("danal", "mobilians")
BUYER = {"buyer_name": "Kim", "buyer_email": "kim@example.com", "buyer_tel": "01012345678", "product_type": "digital"}
CUSTOMER = {"customer_name": "Kim"}
CHARGING = [provider for provider, row in PGS.items() if "again" in row.offers]
KNOWN = frozenset({"KRW", "USD", "JPY", "EUR"})

OWN = {
    ChargesAtIssue.NEVER: "no",
    ChargesAtIssue.UNKNOWN: "no",
    ChargesAtIssue.BY_AMOUNT: "amount",
    ChargesAtIssue.ALWAYS: "always",
}


def money(provider):
    return {"amount": 1000, "currency": PG_CAPABILITIES[provider].currencies[0]}


def order_at(provider):
    """What every PG takes: its currency, whatever it wants of the buyer, and the amount of its phone bill."""
    return {**money(provider), **BUYER} | ({"amount": 9900} if PGS[provider].phone else {})


async def has_key(merchant, make_card, provider, last_four="1111"):
    """A key at that PG, by whichever way it offers; a window that must charge charges 9,900."""
    if "rest_key" in PGS[provider].offers:
        return await merchant.issue(pg=provider, last_four=last_four, **CUSTOMER)
    return await merchant.window(pg=provider, last_four=last_four, amount=9900, currency=money(provider)["currency"])


# ---------------------------------------------------------------- the two tables


def test_both_tables_have_the_same_pgs_and_each_has_a_channel():
    assert set(PGS) == set(PG_CAPABILITIES) == {provider for provider, _ in CHANNELS}


@pytest.mark.parametrize("provider", PGS)
def test_both_tables_agree_about_what_a_pg_offers(provider):
    own, row = PGS[provider], PG_CAPABILITIES[provider]
    offers = {
        "key_in": row.key_in,
        "rest_key": row.rest_key,
        "again": row.again,
        "schedule": row.schedule,
        "moves": row.reschedule,
    }
    assert own.offers == {way for way, offered in offers.items() if offered}
    assert own.keeps == row.stores_key_on_onetime
    assert own.whole_refunds == (row.partial_cancel is False)


@pytest.mark.parametrize("provider", PGS)
def test_both_tables_agree_about_money_and_order_numbers(provider):
    own, row = PGS[provider], PG_CAPABILITIES[provider]
    taken = {one for one in KNOWN if one not in own.never and (own.takes is None or one in own.takes)}
    assert taken == KNOWN & set(row.currencies)
    assert own.least == row.minimum_amount
    assert own.number_once == (not row.merchant_uid_reusable)
    assert own.alphanumeric == row.merchant_uid_alphanumeric_only
    assert own.phone == (row.phone_billing is PhoneBilling.ONLY)


@pytest.mark.parametrize("provider", PGS)
def test_both_tables_agree_about_what_the_window_charges(provider):
    own, row = PGS[provider], PG_CAPABILITIES[provider]
    if not row.window_key:
        # Nothing is issued in a window; of settle, what always charges is onetime with a customer_uid.
        assert own.charges == "no"
    elif row.charges_at_issue is ChargesAtIssue.BY_METHOD:
        # A card is what the emulated window is given, and a card is not charged; of the new Mobilians the amount says.
        assert own.charges == {"welcome": "no", "mobilians_v2": "amount"}[provider]
    else:
        assert own.charges == OWN[row.charges_at_issue]


@pytest.mark.parametrize("provider", PGS)
def test_both_tables_agree_about_what_a_call_must_carry(provider):
    own, row = PGS[provider], PG_CAPABILITIES[provider]
    for call in ("onetime", "issue", "again", "schedule", "cancel", "delete"):
        if {"onetime": not row.key_in, "issue": not row.rest_key}.get(call, False):
            continue
        # Left out of the emulator's: what PortOne asks of every PG, and what it fills in by itself.
        of_every_pg = {"merchant_uid", "amount", "card_number", "expiry", "browser_ip"}
        assert set(own.needs.get(call, ())) == set(row.required.get(call, ())) - of_every_pg
        assert of_every_pg <= ALWAYS_SENT


# ---------------------------------------------------------------- what is offered


@pytest.mark.parametrize("provider", PGS)
async def test_a_key_by_card_number_is_issued_where_the_pg_offers_it_and_nowhere_else(merchant, make_card, provider):
    answer = (await merchant.call("POST", "/subscribe/customers/kim", make_card(pg=provider, **CUSTOMER))).json()
    offered = "rest_key" in PGS[provider].offers
    assert (answer["code"], answer["message"]) == ((0, None) if offered else (1, NO_CHANNEL))
    assert await merchant.charges() == []


@pytest.mark.parametrize("provider", PGS)
async def test_a_card_typed_in_is_charged_where_the_pg_offers_it_and_nowhere_else(merchant, make_card, provider):
    order = {"merchant_uid": "m1", "name": "n", "pg": provider, **money(provider), **BUYER}
    answer = (await merchant.call("POST", "/subscribe/payments/onetime", make_card(**order))).json()
    offered = "key_in" in PGS[provider].offers
    assert (answer["code"], answer["message"]) == ((0, None) if offered else (1, NO_CHANNEL))


@pytest.mark.parametrize("provider", PGS)
async def test_a_key_is_charged_where_the_schema_or_the_guide_says_so(merchant, make_card, provider):
    await has_key(merchant, make_card, provider)
    if PGS[provider].phone:
        await merchant.advance(31 * DAY)
    answer = (await merchant.again("m1", **order_at(provider))).json()
    offered = "again" in PGS[provider].offers
    assert (answer["code"], answer["message"]) == ((0, None) if offered else (1, NO_CHANNEL))


@pytest.mark.parametrize("provider", [provider for provider, row in PGS.items() if "schedule" in row.offers])
async def test_a_failed_schedule_is_booked_again_where_the_pg_has_it(merchant, make_card, provider):
    await has_key(merchant, make_card, provider)
    order = {**money(provider), **BUYER}
    schedule = await merchant.schedule(
        "m1", after=31 * DAY, **(order | ({"amount": 9900} if PGS[provider].phone else {}))
    )
    await merchant.fault("decline", merchant_uid="m1", count=1)
    await merchant.advance(31 * DAY)
    at = {"schedule_at": schedule["schedule_at"] + 3600}
    answer = await merchant.call("POST", "/subscribe/payments/schedule/m1/reschedule", at)
    assert (answer.status_code == 200) == ("moves" in PGS[provider].offers)


@pytest.mark.parametrize("provider", ["ksnet", "tosspayments"])
async def test_a_pg_that_keeps_no_key_of_a_card_typed_in_refuses_to(merchant, make_card, provider):
    order = {"merchant_uid": "m1", "amount": 1000, "name": "n", "pg": provider, "customer_uid": "kim", **BUYER}
    assert (await merchant.call("POST", "/subscribe/payments/onetime", make_card(**order))).json()["code"] == 1
    assert await merchant.charges() == []


# ---------------------------------------------------------------- what is wanted


@pytest.mark.parametrize(
    ("provider", "name"),
    [(provider, name) for provider, row in PGS.items() for name in row.needs.get("again", ())],
)
async def test_a_charge_without_what_its_pg_wants_is_refused_by_name(merchant, make_card, provider, name):
    await has_key(merchant, make_card, provider)
    order = {"name": "n", **money(provider), **BUYER}
    answer = (await merchant.again("m1", **(order | {name: None}))).json()
    assert (answer["code"], answer["message"]) == (1, f'["{name}"] 파라메터는 필수입니다.')
    assert (await merchant.again("m1", **order)).json()["code"] == 0


@pytest.mark.parametrize(
    ("provider", "call", "name"),
    [
        (provider, call, name)
        for provider, row in PGS.items()
        for call in ("onetime", "issue")
        for name in row.needs.get(call, ())
    ],
)
async def test_a_card_without_what_its_pg_wants_is_refused_by_name(merchant, make_card, provider, call, name):
    path = {"onetime": "payments/onetime", "issue": "customers/kim"}[call]
    order = {"merchant_uid": "m1", "amount": 1000, "name": "n", "pg": provider, **BUYER, **CUSTOMER}
    answer = (await merchant.call("POST", f"/subscribe/{path}", make_card(**(order | {name: None})))).json()
    assert (answer["code"], answer["message"]) == (1, f'["{name}"] 파라메터는 필수입니다.')


@pytest.mark.parametrize("missing", ["buyer_name", "buyer_email", "buyer_tel"])
async def test_smartro_schedules_only_what_names_its_buyer_and_the_key_may_name_it(merchant, missing):
    await merchant.window(pg="smartro_v2")
    body = {"merchant_uid": "m1", "schedule_at": await merchant.now() + 60, "amount": 1000, **BUYER, missing: None}
    order = {"customer_uid": "kim", "schedules": [body]}
    answer = (await merchant.call("POST", "/subscribe/payments/schedule", order)).json()
    assert answer["message"] == f'["{missing}"] 파라메터는 필수입니다.'
    await merchant.window(pg="smartro_v2", **{name: BUYER[name] for name in ("buyer_name", "buyer_email", "buyer_tel")})
    assert (await merchant.call("POST", "/subscribe/payments/schedule", order)).json()["code"] == 0


@pytest.mark.parametrize("said", [{}, {"reason": "r"}, {"reason": "", "extra": {"requester": "admin"}}])
async def test_naver_pay_refunds_nothing_without_who_asks_and_why(merchant, said):
    await merchant.window(pg="naverpay")
    await merchant.again("m1")
    refused = (await merchant.call("POST", "/payments/cancel", {"merchant_uid": "m1", **said})).json()
    assert "파라메터는 필수입니다." in refused["message"]
    whole = {"merchant_uid": "m1", "reason": "r", "extra": {"requester": "customer"}}
    assert (await merchant.ok("POST", "/payments/cancel", whole))["status"] == "cancelled"


async def test_naver_pay_deletes_no_key_without_who_asks_and_why(merchant):
    await merchant.window(pg="naverpay")
    path = "/subscribe/customers/kim"
    for query in ({}, {"reason": "r"}, {"extra[requester]": "admin"}):
        assert (await merchant.call("DELETE", path, params=query)).json()["code"] == 1
    await merchant.ok("DELETE", path, params={"reason": "r", "extra[requester]": "admin"})


# ---------------------------------------------------------------- order numbers and money


@pytest.mark.parametrize("provider", CHARGING)
async def test_a_declined_order_number_is_taken_again_by_every_pg_but_naver_pay(merchant, make_card, provider):
    await has_key(merchant, make_card, provider)
    await merchant.advance(31 * DAY)
    await merchant.fault("decline", merchant_uid="m1", count=1)
    assert (await merchant.again("m1", **order_at(provider))).json()["code"] == -1
    again = (await merchant.again("m1", **order_at(provider))).json()
    assert again["code"] == (1 if provider == "naverpay" else 0)
    if provider == "naverpay":
        assert (await merchant.again("m2")).json()["code"] == 0


@pytest.mark.parametrize("provider", CHARGING)
async def test_a_part_is_refunded_by_every_pg_that_is_not_known_to_refuse_it(merchant, make_card, provider):
    await has_key(merchant, make_card, provider)
    await merchant.advance(31 * DAY)
    await merchant.again("m1", **order_at(provider))
    part = {"merchant_uid": "m1", "amount": 400, "reason": "r", "extra": {"requester": "admin"}}
    answer = (await merchant.call("POST", "/payments/cancel", part)).json()
    assert answer["code"] == (1 if PG_CAPABILITIES[provider].partial_cancel is False else 0)


@pytest.mark.parametrize("number", ["order-1", "주문1"])
async def test_smartro_takes_no_order_number_but_of_letters_and_digits(merchant, number):
    await merchant.window(pg="smartro_v2")
    assert (await merchant.again(number, **BUYER)).json()["code"] == 1
    assert (await merchant.again("order1", **BUYER)).json()["code"] == 0


@pytest.mark.parametrize("provider", CHARGING)
async def test_a_currency_that_a_pg_does_not_take_is_refused(merchant, make_card, provider):
    await has_key(merchant, make_card, provider)
    for currency in ("KRW", "USD"):
        order = {"amount": 9900, "currency": currency, **BUYER}
        message = (await merchant.again(f"m{currency}", **order)).json()["message"] or ""
        assert ("통화" in message) == (currency not in PG_CAPABILITIES[provider].currencies)


@pytest.mark.parametrize("provider", [provider for provider, row in PGS.items() if row.least and "again" in row.offers])
async def test_less_than_a_pg_takes_is_refused_before_the_card_is_asked(merchant, make_card, provider):
    await has_key(merchant, make_card, provider)
    least = PGS[provider].least
    answer = (await merchant.again("m1", amount=least - 1, **BUYER)).json()
    assert (answer["code"], answer["message"]) == (1, f"최소 결제금액은 {least}원입니다.")


# ---------------------------------------------------------------- what issuing charges, phone bills


@pytest.mark.parametrize("provider", [provider for provider, row in PG_CAPABILITIES.items() if row.window_key])
async def test_a_window_charges_where_its_pg_does(merchant, provider):
    order = {"amount": 9900, "currency": money(provider)["currency"], "merchant_uid": "w1"}
    key = await merchant.window(pg=provider, **order)
    charged = PGS[provider].charges != "no"
    assert [charge["merchant_uid"] for charge in await merchant.charges()] == ["w1"] * charged
    if charged:
        assert key["payment"]["customer_uid_usage"] == "issue"
        assert key["payment"]["imp_uid"].startswith("imp_")


@pytest.mark.parametrize("provider", [provider for provider, row in PGS.items() if row.charges == "always"])
async def test_a_window_that_always_charges_issues_nothing_without_an_amount(merchant, provider):
    key = {"customer_uid": "kim", "card_number": "4518-4212-3456-1111", "pg": provider}
    assert (await merchant.http.post("/emulator/window/billing-key", json=key)).status_code == 402
    assert (await merchant.call("GET", "/subscribe/customers/kim")).status_code == 404


@pytest.mark.parametrize("provider", PHONES)
@pytest.mark.parametrize(("days", "in_time"), [(0, False), (20, False), (27, True), (36, True), (37, False)])
async def test_a_phone_bill_is_charged_a_month_after_the_last_one_or_not_at_all(start, provider, days, in_time):
    merchant = await start()
    await merchant.control("POST", "clock", {"to": "2099-03-10T03:00:00Z"})
    await merchant.window(pg=provider, amount=9900)
    await merchant.advance(days * DAY)
    assert ((await merchant.again("m1")).json()["code"] == 0) is in_time


@pytest.mark.parametrize("provider", PHONES)
async def test_a_phone_bill_keeps_its_amount(merchant, provider):
    await merchant.window(pg=provider, amount=9900)
    await merchant.advance(31 * DAY)
    assert (await merchant.again("m1", amount=12_000)).json()["code"] == -1
    assert (await merchant.again("m2")).json()["code"] == 0


@pytest.mark.parametrize("provider", PHONES)
async def test_a_phone_bill_goes_back_as_a_whole(merchant, provider):
    await merchant.window(pg=provider, amount=9900, merchant_uid="w1")
    refused = await merchant.call("POST", "/payments/cancel", {"merchant_uid": "w1", "amount": 900})
    assert refused.json()["code"] == 1
    assert (await merchant.ok("POST", "/payments/cancel", {"merchant_uid": "w1"}))["cancel_amount"] == 9900


async def test_paymentwall_knows_the_buyer_by_the_address_its_key_was_issued_with(merchant):
    await merchant.window(pg="paymentwall", amount=9900, buyer_email="kim@example.com")
    assert (await merchant.again("m1", buyer_email="lee@example.com")).json()["code"] == -1
    assert (await merchant.again("m2", buyer_email="kim@example.com")).json()["code"] == 0


# ---------------------------------------------------------------- turned off


async def test_without_rules_everything_goes(start, make_card):
    merchant = await start(pg_rules="off")
    await merchant.issue(pg="kakaopay")
    assert (await merchant.again("m1", amount=1, currency="USD")).json()["code"] == 0
    await merchant.issue("lee", pg="naverpay")
    await merchant.ok("DELETE", "/subscribe/customers/lee")
    order = make_card(merchant_uid="m2", amount=1, pg="paypal_v2")
    assert (await merchant.call("POST", "/subscribe/payments/onetime", order)).json()["code"] == 0
