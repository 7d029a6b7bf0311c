import json
import os
import re
from pathlib import Path

import pytest

from billing.domain.pg_capabilities import PG_CAPABILITIES, capability, provider_of
from billing.domain.pg_capability import ChargesAtIssue, PhoneBilling
from billing.domain.pg_notes import PG_NOTES

FACTS = Path(os.environ.get("GUDOK_PORTONE_FACTS", Path(__file__).parents[2].parent / "shared/portone"))
CALLS = {
    "customers_post": "issue",
    "sdk_issue": "window",
    "sdk_issue_easypay": "window_easypay",
    "sdk_payment": "window_payment",
    "delete_key": "delete",
    "delete_easypay_key": "delete_easypay",
}
# Asked for on a phone, by a contract, by one of several ways to pay, or no parameter at all.
NOT_ALWAYS = (" on mobile", " if ", " or ", "advised", "recommended", "(phone)", "(iOS app)", "issue-only")
NO_PARAMETER = ("IMP.", "SDK ", "Fraudnet")
ISSUE = {
    "never": ChargesAtIssue.NEVER,
    "never (easy-pay window)": ChargesAtIssue.NEVER,
    "n/a": ChargesAtIssue.NEVER,
    "by amount": ChargesAtIssue.BY_AMOUNT,
    "by method/amount": ChargesAtIssue.BY_METHOD,
    "card never / phone always": ChargesAtIssue.BY_METHOD,
    "always": ChargesAtIssue.ALWAYS,
    "onetime+customer_uid charges": ChargesAtIssue.ALWAYS,
    "unknown": ChargesAtIssue.UNKNOWN,
}


@pytest.fixture(scope="module")
def facts():
    path = FACTS / "pg-capabilities.json"
    if not path.is_file():
        pytest.skip(f"the facts about PGs are not on this machine: {path}")
    return {row["pg_provider"]: row for row in json.loads(path.read_text())}


def test_the_table_has_the_modules_of_the_facts_and_no_other(facts):
    assert set(PG_CAPABILITIES) == set(facts)
    assert len(PG_CAPABILITIES) == 25


def test_what_a_module_offers_is_what_the_facts_say(facts):
    for provider, row in PG_CAPABILITIES.items():
        fact, schema = facts[provider], facts[provider]["details"]["schema_supported"]
        ways = (row.key_in, row.rest_key, row.window_key)
        assert ways == (fact["keyin"], fact["rest_billing_key"], fact["sdk_billing_key"]), provider
        assert row.module == fact["module"], provider
        assert row.name_ko == fact["name_ko"], provider
        listed = (row.again and not row.by_guide_only, row.schedule and not row.by_guide_only)
        assert listed == (schema["again"], schema["schedule_post"]), provider
        assert {row.reschedule} == {schema[call] for call in ("schedule_put", "reschedule", "retry")}, provider


def test_what_a_module_charges_and_in_which_currency_is_what_the_facts_say(facts):
    for provider, row in PG_CAPABILITIES.items():
        details = facts[provider]["details"]
        assert row.charges_at_issue is ISSUE[details["charge_at_issue"]], provider
        if isinstance(details["vat_amount"], bool):
            assert row.vat_amount is details["vat_amount"], provider
        said = " ".join(details["currency"])
        assert ("KRW" in row.currencies) == ("KRW" in said or "any" in said) - ("non-KRW" in said), provider
        assert ("USD" in row.currencies) == any(word in said for word in ("USD", "any", "non-KRW")), provider
        uid = details.get("merchant_uid", "")
        assert row.merchant_uid_reusable is ("never reusable" not in uid), provider
        assert row.merchant_uid_alphanumeric_only is ("alphanumeric" in uid), provider


def test_what_a_module_always_requires_is_what_the_facts_say(facts):
    for provider, row in PG_CAPABILITIES.items():
        said = {}
        for call, entries in facts[provider]["required_params"].items():
            always = [
                re.match(r"[A-Za-z0-9_.\[\]]+", entry)[0]
                for entry in entries
                if call != "note"
                and not entry.startswith(NO_PARAMETER)
                and not any(word in entry for word in NOT_ALWAYS)
            ]
            if always:
                said[CALLS.get(call, call)] = tuple(always)
        assert dict(row.required) == said, provider


def test_every_row_names_a_source_that_the_facts_name(facts):
    for provider, row in PG_CAPABILITIES.items():
        assert any(row.source in source for source in facts[provider]["details"]["sources"]), provider


def test_the_modules_that_need_another_way_are_these_wherever_the_tests_run():
    rows = PG_CAPABILITIES.values()
    assert {row.provider for row in rows if not row.merchant_uid_reusable} == {"naverpay"}
    assert {row.provider for row in rows if row.merchant_uid_alphanumeric_only} == {"smartro_v2"}
    assert {row.provider for row in rows if row.again and not row.reschedule} == {"tosspay_v2", "smilepay"}
    assert {row.provider for row in rows if not row.schedule} == {"mobilians_v2"}
    assert {row.provider for row in rows if "KRW" not in row.currencies} == {"paypal_v2"}


def test_a_key_is_stored_by_onetime_wherever_there_is_onetime_but_at_two():
    storing = {row.provider for row in PG_CAPABILITIES.values() if row.stores_key_on_onetime}
    assert storing == {row.provider for row in PG_CAPABILITIES.values() if row.key_in} - {"tosspayments", "ksnet"}


def test_what_the_guide_names_and_the_schema_does_not_works_by_the_guide_and_says_so():
    assert {row.provider for row in PG_CAPABILITIES.values() if row.by_guide_only} == {"smilepay"}
    assert "by the guide" in " ".join(note.text for note in PG_NOTES["smilepay"])


def test_phone_bills_are_known_and_so_is_where_the_method_decides(facts):
    rows = PG_CAPABILITIES.values()
    assert {row.provider for row in rows if row.phone_billing is PhoneBilling.ONLY} == {"danal", "mobilians"}
    assert {row.provider for row in rows if row.phone_billing is PhoneBilling.BY_METHOD} == {"welcome", "mobilians_v2"}
    for row in rows:
        methods = facts[row.provider]["details"].get("sdk_pay_methods", [])
        assert ("phone" in methods) == (row.phone_billing is not PhoneBilling.NEVER), row.provider
        assert (methods == ["phone"]) == (row.phone_billing is PhoneBilling.ONLY), row.provider


def test_only_phone_bills_are_known_to_take_no_partial_refund():
    refusing = {row.provider for row in PG_CAPABILITIES.values() if row.partial_cancel is False}
    assert refusing == {"danal", "mobilians"}


def test_every_module_has_notes_that_say_where_they_were_read():
    assert set(PG_NOTES) == set(PG_CAPABILITIES)
    for provider, notes in PG_NOTES.items():
        assert notes, provider
        assert all(note.text.endswith(".") and note.source for note in notes), provider


def test_what_the_sources_leave_open_is_said_to_be_open():
    said = {provider: " ".join(note.text for note in notes) for provider, notes in PG_NOTES.items()}
    for row in PG_CAPABILITIES.values():
        if row.vat_amount is None:
            assert "vat_amount" in said[row.provider], row.provider


def test_a_row_is_found_under_its_own_name():
    assert all(capability(row.provider) is row for row in PG_CAPABILITIES.values())
    assert capability("nobody") is None


@pytest.mark.parametrize(
    ("pg", "provider"),
    [
        ("nice.nictest04m", "nice"),
        ("nice_v2.iamport01m", "nice_v2"),
        ("html5_inicis", "html5_inicis"),
        ("kicc.T5102001.x", "kicc"),
        (".x", None),
        ("", None),
        (None, None),
    ],
)
def test_the_provider_is_what_stands_before_the_first_point(pg, provider):
    assert provider_of(pg) == provider
