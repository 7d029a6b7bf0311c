"""Whatever is wrong with a request is refused with a problem document, and nothing has happened."""

import pytest

from tests.api.requests import (
    CARD,
    CARD_NUMBER,
    GONE,
    assert_nothing_happened,
    assert_problem,
    changed,
    encoded,
    in_turn,
    key_body,
    new_uid,
    payment_body,
    refused,
    subscription_body,
    was_started,
)

BAD_AMOUNTS = [
    pytest.param(float("nan"), id="NaN"),
    pytest.param(float("inf"), id="Infinity"),
    pytest.param(float("-inf"), id="minus_Infinity"),
    pytest.param(True, id="true"),
    pytest.param("100", id="a_string"),
    pytest.param(-1, id="negative"),
    pytest.param(0, id="zero"),
    pytest.param(100.5, id="fractional_won"),
    pytest.param(100.0, id="a_float"),
    pytest.param(100_000_001, id="one_over_the_cap"),
    pytest.param(10**30, id="beyond_64_bits"),
    pytest.param(None, id="null"),
    pytest.param([100], id="a_list"),
    pytest.param(GONE, id="missing"),
]

BAD_UIDS = [
    pytest.param("a/b", id="a_slash"),
    pytest.param("..", id="dots_alone"),
    pytest.param("a..b", id="dots_inside"),
    pytest.param("../../payments", id="a_way_up"),
    pytest.param("a\x00b", id="NUL"),
    pytest.param("a\x1bb", id="escape"),
    pytest.param("a\x7f", id="delete"),
    pytest.param("a\n", id="a_newline_at_the_end"),
    pytest.param("a\nb", id="a_newline_inside"),
    pytest.param("a\r\nX-Evil: 1", id="a_header"),
    pytest.param("a" * 81, id="81_characters"),
    pytest.param("a b", id="a_space"),
    pytest.param("a%2Fb", id="an_escaped_slash"),
    pytest.param("구독자", id="Hangul"),
    pytest.param("a\u202eb", id="a_turn_of_direction"),
    pytest.param("_a", id="a_sign_first"),
]

BAD_CARDS = [
    pytest.param({"expiry": "2020-01"}, "expiry", id="expired"),
    pytest.param({"expiry": "12/99"}, "card", id="expiry_as_printed"),
    pytest.param({"expiry": "2099-13"}, "card", id="month_13"),
    pytest.param({"expiry": "2099-00"}, "card", id="month_0"),
    pytest.param({"expiry": "２０９９-１２"}, "card", id="full_width_expiry"),
    pytest.param({"expiry": 209912}, "expiry", id="expiry_as_a_number"),
    pytest.param({"expiry": GONE}, "expiry", id="no_expiry"),
    pytest.param({"card_number": "4518-4212-3456"}, "card", id="12_digits"),
    pytest.param({"card_number": CARD_NUMBER + "1"}, "card", id="17_digits"),
    pytest.param({"card_number": CARD_NUMBER + "\n"}, "card", id="a_newline_in_the_number"),
    pytest.param({"card_number": CARD_NUMBER[:-1] + "０"}, "card", id="a_full_width_digit"),
    pytest.param({"card_number": int(CARD_NUMBER.replace("-", ""))}, "card_number", id="number_as_a_number"),
    pytest.param({"card_number": None}, "card_number", id="number_null"),
    pytest.param({"card_number": ""}, "card", id="number_empty"),
    pytest.param({"birth": "90010"}, "card", id="birth_of_5_digits"),
    pytest.param({"birth": "900101-1"}, "card", id="birth_with_a_dash"),
    pytest.param({"birth": 900101}, "birth", id="birth_as_a_number"),
    pytest.param({"pwd_2digit": "1"}, "card", id="one_digit_of_the_password"),
    pytest.param({"cvc": "12"}, "card", id="cvc_of_2_digits"),
    pytest.param({"number": CARD_NUMBER}, "number", id="a_field_that_is_not_known"),
]

WAYS_WITH_A_CARD = [
    pytest.param("/v1/subscriptions", subscription_body, "payment_method.card", id="subscriptions"),
    pytest.param("/v1/payments", payment_body, "card", id="payments"),
    pytest.param("/v1/billing-keys", key_body, "card", id="billing_keys"),
]


# ---------------------------------------------------------------- bodies that are not what they should be


@pytest.mark.parametrize(
    ("path", "content"),
    in_turn(
        [pytest.param(f"/v1/{name}", id=name) for name in ("subscriptions", "payments", "billing-keys", "plans")],
        [
            pytest.param(encoded(subscription_body())[:-1], id="cut_off"),
            pytest.param(b"{'card': '" + CARD_NUMBER.encode() + b"'}", id="single_quotes"),
            pytest.param(b"", id="empty"),
            pytest.param(b"\xff\xfe" + CARD_NUMBER.encode(), id="not_UTF_8"),
            pytest.param(b'{"card_number": "' + CARD_NUMBER.encode() + b"\x00", id="a_bare_NUL"),
            pytest.param(b"[" * 60_000, id="deep_nesting"),
            pytest.param(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, id="deep_objects"),
            pytest.param(b'{"amount": ' + b"9" * 5000 + b"}", id="a_number_of_5000_digits"),
            pytest.param(b"[]", id="a_list"),
            pytest.param(b"null", id="null"),
            pytest.param(b"NaN", id="NaN_alone"),
            pytest.param(b'"' + CARD_NUMBER.encode() + b'"', id="a_card_number_alone"),
            pytest.param(b"{}", id="an_empty_object"),
        ],
    ),
)
async def test_a_body_that_is_no_order_is_refused(idle_stack, path, content):
    await refused(idle_stack, path, content)


async def test_json_that_is_cut_off_is_called_malformed(idle_stack):
    await refused(idle_stack, "/v1/subscriptions", b'{"customer_uid": ', status=400, code="malformed_json")


@pytest.mark.parametrize(("path", "body", "_card"), WAYS_WITH_A_CARD)
async def test_json_under_another_content_type_is_refused(idle_stack, path, body, _card):
    await refused(idle_stack, path, body(), headers={"Content-Type": "text/plain"}, status=422)


@pytest.mark.parametrize("path", ["/v1/subscriptions", "/v1/payments", "/v1/billing-keys", "/webhooks/portone"])
@pytest.mark.parametrize("chunked", [False, True], ids=["with_its_length", "in_chunks"])
async def test_a_body_over_64_kib_is_refused_with_413(idle_stack, path, chunked):
    content = encoded(changed(subscription_body(), metadata={"note": CARD_NUMBER * 5000}))

    async def chunks():
        for at in range(0, len(content), 4096):
            yield content[at : at + 4096]

    headers = {"Content-Type": "application/json"}
    answer = await idle_stack.api.post(path, content=chunks() if chunked else content, headers=headers)
    assert_problem(answer, status=413, code="body_too_large")
    await assert_nothing_happened(idle_stack)


# ---------------------------------------------------------------- amounts


@pytest.mark.parametrize("amount", BAD_AMOUNTS)
async def test_a_payment_of_an_amount_that_is_no_sum_is_refused(idle_stack, amount):
    await refused(idle_stack, "/v1/payments", changed(payment_body(), amount=amount), status=422, field="amount")


@pytest.mark.parametrize("amount", [p for p in BAD_AMOUNTS if p.id not in ("null", "missing")])
async def test_a_refund_of_an_amount_that_is_no_sum_is_refused(idle_stack, amount):
    path = "/v1/payments/pnobody/refunds"
    await refused(idle_stack, path, {"amount": amount}, status=422, field="amount")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"plan__tax_free": -1}, "plan.tax_free"),
        ({"plan__tax_free": 9901}, "plan"),
        ({"plan__vat_amount": 0.5}, "plan.vat_amount"),
        ({"plan__trial_days": -1}, "plan.trial_days"),
        ({"plan__max_cycles": 0}, "plan.max_cycles"),
        ({"plan__interval_count": 0}, "plan.interval_count"),
        ({"plan__interval": "fortnight"}, "plan.interval"),
        ({"plan__currency": "KRX"}, "plan.currency"),
        ({"plan__name": ""}, "plan.name"),
        ({"plan__name": "a" * 41}, "plan.name"),
        ({"plan__name": "이용권\n"}, "plan.name"),
        ({"plan__name": "\ud800"}, "plan.name"),
        ({"customer__name": "a\x00"}, "customer.name"),
        ({"customer__email": "a" * 65}, "customer.email"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"metadata": {"a": "b" * 501}}, "metadata.a"),
        ({"metadata": {str(n): "" for n in range(51)}}, "metadata"),
    ],
)
async def test_terms_that_do_not_hold_together_are_refused_by_field(idle_stack, change, field):
    body = changed(subscription_body(), **change)
    await refused(idle_stack, "/v1/subscriptions", body, status=422, field=field)


@pytest.mark.parametrize("field", ["tax_free", "vat_amount"])
async def test_a_payment_whose_tax_part_exceeds_its_amount_is_refused(idle_stack, field):
    await refused(idle_stack, "/v1/payments", payment_body(**{field: 12001}), status=422)


@pytest.mark.parametrize("zone", ["Asia/Nowhere", "KST", "+09:00", "", "../../etc/passwd", "asia/seoul", 9, None])
async def test_a_time_zone_nobody_knows_is_refused(idle_stack, zone):
    body = changed(subscription_body(), plan__time_zone=zone)
    await refused(idle_stack, "/v1/subscriptions", body, status=422, field="plan.time_zone")


# ---------------------------------------------------------------- customer_uid


@pytest.mark.parametrize(
    ("path", "body", "uid"),
    in_turn(
        [
            pytest.param("/v1/subscriptions", subscription_body, id="subscriptions"),
            pytest.param("/v1/payments", payment_body, id="payments"),
            pytest.param("/v1/billing-keys", key_body, id="billing_keys"),
        ],
        [*BAD_UIDS, pytest.param("", id="empty"), pytest.param("\ud800", id="half_a_pair")],
    ),
)
async def test_a_customer_uid_that_could_lead_elsewhere_is_refused_in_a_body(idle_stack, path, body, uid):
    await refused(idle_stack, path, changed(body(), customer_uid=uid), status=422, field="customer_uid")


@pytest.mark.parametrize(
    ("method", "path", "uid"),
    in_turn(
        [
            pytest.param("GET", "/v1/subscriptions/{}", id="subscription"),
            pytest.param("GET", "/v1/subscriptions/{}/charges", id="charges"),
            pytest.param("POST", "/v1/subscriptions/{}/cancel", id="cancel"),
            pytest.param("GET", "/v1/billing-keys/{}", id="billing_key"),
            pytest.param("DELETE", "/v1/billing-keys/{}", id="billing_key_deleted"),
        ],
        BAD_UIDS,
    ),
)
async def test_a_customer_uid_that_could_lead_elsewhere_is_refused_in_a_path(idle_stack, method, path, uid):
    # Every byte is escaped, dots too: the client must not tidy the path up before it is sent.
    escaped = "".join(f"%{byte:02X}" for byte in uid.encode())
    answer = await idle_stack.api.request(method, path.format(escaped))
    problem = assert_problem(answer)
    if "/" in uid:
        assert answer.status_code in (404, 405, 422)
    else:
        assert answer.status_code == 422
        assert [error["field"] for error in problem["errors"]] == ["customer_uid"]
    assert not [name for name in answer.headers if "evil" in name.lower()]
    await assert_nothing_happened(idle_stack)


@pytest.mark.parametrize("number", ["a b", "a" * 41, "a.b", "a\n", "주문", ""])
async def test_an_order_number_that_portone_would_not_keep_is_refused(idle_stack, number):
    await refused(idle_stack, "/v1/payments", payment_body(merchant_uid=number), status=422, field="merchant_uid")


# ---------------------------------------------------------------- cards


@pytest.mark.parametrize(("path", "body", "card", "changes", "field"), in_turn(WAYS_WITH_A_CARD, BAD_CARDS))
async def test_a_card_that_is_none_is_refused_without_being_shown(idle_stack, path, body, card, changes, field):
    place = card.replace(".", "__")
    sent = changed(body(), **{f"{place}__{name}": value for name, value in changes.items()})
    named = card if field == "card" else f"{card}.{field}"
    problem = await refused(idle_stack, path, sent, status=422, field=named)
    if changes == {"expiry": "2020-01"}:
        assert problem["code"] == "card_expired"


@pytest.mark.parametrize(("path", "body", "card"), WAYS_WITH_A_CARD)
async def test_a_card_number_sent_as_the_name_of_a_field_is_not_shown(idle_stack, path, body, card):
    digits = CARD_NUMBER.replace("-", "")
    for place in ("", card.replace(".", "__") + "__"):
        await refused(idle_stack, path, changed(body(), **{f"{place}{digits}": CARD["birth"]}), status=422)


async def test_a_card_number_sent_as_the_name_of_metadata_is_not_shown(idle_stack):
    body = changed(subscription_body(), metadata={CARD_NUMBER: 1})
    await refused(idle_stack, "/v1/subscriptions", body, status=422)


@pytest.mark.parametrize("place", ["name", "customer__name", "customer__tel", "pg", "channel_key", "merchant_uid"])
async def test_a_card_number_in_the_wrong_field_is_not_shown(idle_stack, place):
    body = changed(payment_body(), **{place: CARD_NUMBER + "\n"})
    await refused(idle_stack, "/v1/payments", body, status=422, field=place.replace("__", "."))


# ---------------------------------------------------------------- choices


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"plan_id": "gold"}, "body", id="plan_and_plan_id"),
        pytest.param({"plan": GONE}, "body", id="no_plan_at_all"),
        pytest.param({"plan": None}, "body", id="plan_null"),
        pytest.param({"payment_method__billing_key": True}, "payment_method", id="card_and_billing_key"),
        pytest.param({"payment_method__card": GONE}, "payment_method", id="neither_card_nor_billing_key"),
        pytest.param({"payment_method": {"billing_key": False}}, "payment_method.billing_key", id="billing_key_false"),
        pytest.param({"payment_method": GONE}, "payment_method", id="no_payment_method"),
        pytest.param({"customer_uid": GONE}, "customer_uid", id="no_customer_uid"),
        pytest.param({"plan": GONE, "plan_id": "nobody"}, "plan_id", id="a_plan_id_that_is_not_there"),
        pytest.param({"plan": GONE, "plan_id": "a" * 81}, "plan_id", id="a_plan_id_that_is_too_long"),
        pytest.param({"plan": GONE, "plan_id": 1}, "plan_id", id="a_plan_id_that_is_a_number"),
        pytest.param({"color": "red"}, "color", id="a_field_nobody_knows"),
        pytest.param({"plan__color": "red"}, "plan.color", id="a_field_of_a_plan_nobody_knows"),
        pytest.param({"customer__color": "red"}, "customer.color", id="a_field_of_a_customer_nobody_knows"),
    ],
)
async def test_a_start_that_leaves_a_choice_open_is_refused(idle_stack, change, field):
    body = changed(subscription_body(), **change)
    await refused(idle_stack, "/v1/subscriptions", body, status=422, field=field)
    if isinstance(body.get("customer_uid"), str):
        assert not await was_started(idle_stack, f"subscription/{body['customer_uid']}")


@pytest.mark.parametrize(
    ("path", "body", "changes", "code", "field"),
    [
        pytest.param(
            "/v1/subscriptions", subscription_body, {"pg": "kakaopay"}, "pg_not_supported", "pg", id="kakaopay_by_card"
        ),
        pytest.param(
            "/v1/subscriptions",
            subscription_body,
            {"pg": "kakaopay.TCSUBSCRIP"},
            "pg_not_supported",
            "pg",
            id="kakaopay_by_card_and_MID",
        ),
        pytest.param(
            "/v1/payments", payment_body, {"pg": "kakaopay"}, "pg_not_supported", "pg", id="kakaopay_by_number"
        ),
        pytest.param("/v1/billing-keys", key_body, {"pg": "kakaopay"}, "pg_not_supported", "pg", id="kakaopay_key"),
        pytest.param(
            "/v1/subscriptions", subscription_body, {"pg": "smilepay"}, "pg_not_supported", "pg", id="smilepay"
        ),
        pytest.param(
            "/v1/subscriptions", subscription_body, {"pg": "paypol"}, "invalid_request", "pg", id="a_PG_nobody_knows"
        ),
        pytest.param("/v1/payments", payment_body, {"pg": ""}, "invalid_request", "pg", id="an_empty_PG"),
        pytest.param("/v1/payments", payment_body, {"pg": "nice\n"}, "invalid_request", "pg", id="a_newline_in_a_PG"),
        pytest.param("/v1/billing-keys", key_body, {"pg": "NICE"}, "invalid_request", "pg", id="a_PG_in_capitals"),
        pytest.param(
            "/v1/payments",
            payment_body,
            {"pg": "tosspayments", "customer_uid": "buyer"},
            "pg_not_supported",
            "customer_uid",
            id="toss_stores_no_key",
        ),
        pytest.param(
            "/v1/subscriptions",
            subscription_body,
            {"pg": "kcp", "plan__amount": 999},
            "pg_minimum_amount",
            None,
            id="under_the_minimum_of_kcp",
        ),
        pytest.param(
            "/v1/payments",
            payment_body,
            {"pg": "kcp", "currency": "USD"},
            "pg_currency",
            "currency",
            id="dollars_by_kcp",
        ),
        pytest.param(
            "/v1/payments",
            payment_body,
            {"pg": "html5_inicis", "customer__tel": GONE},
            "pg_requires_field",
            "customer.tel",
            id="inicis_without_a_telephone",
        ),
    ],
)
async def test_what_a_pg_cannot_do_is_refused_before_it_starts(idle_stack, path, body, changes, code, field):
    sent = changed(body(), **changes)
    await refused(idle_stack, path, sent, status=422, code=code, field=field)


@pytest.mark.parametrize("body", [{"at": "tomorrow"}, {"at": 1}, {"reason": ""}, {"reason": "a\n"}, {"when": "now"}])
async def test_a_cancel_that_is_not_understood_is_refused(idle_stack, body):
    await refused(idle_stack, f"/v1/subscriptions/{new_uid()}/cancel", body, status=422, field=next(iter(body)))


async def test_what_is_not_there_is_a_404(idle_stack):
    uid = new_uid()
    for method, path, code in (
        ("GET", f"/v1/subscriptions/{uid}", "subscription_not_found"),
        ("GET", f"/v1/subscriptions/{uid}/charges", "subscription_not_found"),
        ("POST", f"/v1/subscriptions/{uid}/cancel", "subscription_not_found"),
        ("GET", f"/v1/billing-keys/{uid}", "billing_key_not_found"),
        ("DELETE", f"/v1/billing-keys/{uid}", "billing_key_not_found"),
        ("GET", "/v1/payments/pnobody", "payment_not_found"),
        ("POST", "/v1/payments/pnobody/refunds", "payment_not_found"),
        ("GET", "/v1/plans/nobody", "plan_not_found"),
        ("GET", "/v1/elsewhere", "not_found"),
    ):
        assert_problem(await idle_stack.api.request(method, path), status=404, code=code)
    assert_problem(await idle_stack.api.put("/v1/plans"), status=405, code="method_not_allowed")
    await assert_nothing_happened(idle_stack)
