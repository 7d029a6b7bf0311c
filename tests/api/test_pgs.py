"""What a PG cannot do is refused before anything is called, and the refusal names PG, call and field."""

import pytest

from billing.domain.pg_capabilities import PG_CAPABILITIES
from billing.domain.pg_notes import PG_NOTES
from tests.api.requests import CARD, GONE, changed, key_body, payment_body, subscription_body


async def refused(stack, path, body, code, pg, call):
    answer = await stack.api.post(path, json=body)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert (problem["code"], problem["pg"], problem["call"]) == (code, pg, call), problem
    assert pg in problem["detail"]
    return problem


def window_body(pg, **changes):
    return changed(subscription_body() | {"payment_method": {"billing_key": True}, "pg": pg}, **changes)


async def test_pgs_are_listed_with_everything_the_table_knows_and_what_it_does_not(idle_stack):
    listed = (await idle_stack.api.get("/v1/pgs")).json()["pgs"]
    assert [row["pg_provider"] for row in listed] == list(PG_CAPABILITIES)
    for row in listed:
        assert row["notes"] == [{"text": note.text, "source": note.source} for note in PG_NOTES[row["pg_provider"]]]
    naver = (await idle_stack.api.get("/v1/pgs/naverpay")).json()
    assert naver["merchant_uid"] == {"reusable": False, "alphanumeric_only": False}
    assert naver["required"]["cancel"] == ["reason", "extra.requester"]
    assert naver in listed
    assert (await idle_stack.api.get("/v1/pgs/paypol")).status_code == 404
    assert (await idle_stack.api.get("/v1/pgs", headers={"Authorization": ""})).status_code == 401


async def test_a_card_is_refused_by_every_pg_that_takes_none_before_anything_is_called(idle_stack):
    for pg, row in PG_CAPABILITIES.items():
        if not row.key_in:
            body = payment_body(pg=pg) | {"currency": row.currencies[0]}
            await refused(idle_stack, "/v1/payments", body, "pg_not_supported", pg, "onetime")
        if not row.rest_key:
            await refused(idle_stack, "/v1/billing-keys", key_body(pg=pg), "pg_not_supported", pg, "issue")
            await refused(
                idle_stack, "/v1/subscriptions", subscription_body() | {"pg": pg}, "pg_not_supported", pg, "issue"
            )
        if not row.again:
            await refused(idle_stack, "/v1/subscriptions", window_body(pg), "pg_not_supported", pg, "again")
    assert (await idle_stack.emulator.get("/emulator/books")).json()["totals"]["failed_attempts"] == 0


@pytest.mark.parametrize(
    ("path", "pg", "call", "missing", "field"),
    [
        ("/v1/payments", "html5_inicis", "onetime", "buyer_tel", "customer.tel"),
        ("/v1/payments", "ksnet", "onetime", "buyer_name", "customer.name"),
        ("/v1/billing-keys", "ksnet", "issue", "pwd_2digit", "card.pwd_2digit"),
        ("/v1/billing-keys", "welcome", "issue", "customer_name", "customer.name"),
        ("/v1/subscriptions", "smartro_v2", "again", "buyer_tel", "customer.tel"),
        ("/v1/subscriptions", "paymentwall", "again", "buyer_email", "customer.email"),
    ],
)
async def test_a_missing_field_is_named_as_portone_and_as_we_call_it(idle_stack, path, pg, call, missing, field):
    whole = {"/v1/payments": payment_body(), "/v1/billing-keys": key_body(), "/v1/subscriptions": window_body(pg)}[path]
    lacking = changed(whole | {"pg": pg}, **{field.replace(".", "__"): GONE})
    problem = await refused(idle_stack, path, lacking, "pg_requires_field", pg, call)
    assert problem["missing"] == missing
    assert problem["detail"] == f"{pg} requires {missing} for {call}"
    assert problem["errors"][0]["field"] == field


async def test_money_that_a_pg_does_not_take_is_refused(idle_stack):
    for pg, row in PG_CAPABILITIES.items():
        if not row.again:
            continue
        wrong = "USD" if "USD" not in row.currencies else "KRW" if "KRW" not in row.currencies else None
        if wrong:
            await refused(
                idle_stack, "/v1/subscriptions", window_body(pg, plan__currency=wrong), "pg_currency", pg, "again"
            )
        if row.minimum_amount:
            body = window_body(pg, plan__amount=row.minimum_amount - 1)
            await refused(idle_stack, "/v1/subscriptions", body, "pg_minimum_amount", pg, "again")
        if row.vat_amount is False:
            body = window_body(pg, plan__vat_amount=900, plan__currency=row.currencies[0])
            await refused(idle_stack, "/v1/subscriptions", body, "pg_vat_amount", pg, "again")


@pytest.mark.parametrize("pg", ["danal", "mobilians"])
@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"plan__interval": "year"}, "every month"),
        ({"plan__interval_count": 2}, "every month"),
        ({"plan__trial_days": 90}, "trial"),
        ({"coupon": {"name": "첫 달", "percent_off": 10}}, "the same amount"),
    ],
)
async def test_a_phone_bill_is_refused_any_plan_but_a_monthly_one_of_one_amount(idle_stack, pg, changes, rule):
    problem = await refused(
        idle_stack, "/v1/subscriptions", window_body(pg, **changes), "pg_phone_billing", pg, "again"
    )
    assert rule in problem["detail"]


async def test_a_pg_that_is_known_only_by_its_key_is_checked_by_the_workflow_before_it_is_charged(stack):
    body = window_body("mobilians", plan__interval="year")
    key = {
        "customer_uid": body["customer_uid"],
        "card_number": CARD["card_number"],
        "pg": body.pop("pg"),
        "amount": 9900,
    }
    assert (await stack.emulator.post("/emulator/window/billing-key", json=key)).status_code == 201
    answer = await stack.api.post("/v1/subscriptions", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "pg_phone_billing")
    books = await stack.books(body["customer_uid"])
    assert (len(books["charges"]), books["totals"]["failed_attempts"]) == (1, 0)
