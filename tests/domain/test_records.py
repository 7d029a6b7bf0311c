from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields, is_dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args, get_origin

import pydantic_core
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from billing.domain import records
from billing.domain.bills import Bill, Holding, period_bill
from billing.domain.calendar import Anchor, Interval, IntervalUnit
from billing.domain.consent import ConsentDecision, ConsentEvidence, ConsentKind, ConsentNeed
from billing.domain.coupons import Coupon
from billing.domain.deadlines import DeadlineLadder, QuietWindow
from billing.domain.dunning import DunningPolicy, RetryLadder
from billing.domain.facts import BillingKeyFact, PaymentFact, ScheduleFact, last_four, mask_to_last_four
from billing.domain.money import Money
from billing.domain.notice_token import NoticeRoute
from billing.domain.plans import OnNoConsent, PlanTerms, TrialEnd
from billing.domain.proration import ChangeQuote, ProrationMode, change_now
from billing.domain.records import (
    ChargeIntent,
    ChargeResult,
    Customer,
    LedgerEntry,
    RefundRecord,
    SubscriptionRecord,
)
from billing.domain.verdict import Expected, Verdict
from tests.domain.drawn import balances, coupons, holdings

MONTHLY = Interval(IntervalUnit.MONTH)
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
KOREAN_TIME = datetime(2026, 3, 1, 18, tzinfo=timezone(timedelta(hours=9)))
NAIVE = datetime(2026, 3, 1, 9)  # noqa: DTZ001 - the naive instant is the point

instants = st.datetimes(datetime(2020, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
money = st.builds(Money, st.integers(0, 10**9), st.sampled_from(["KRW", "USD"]))
intervals = st.builds(Interval, st.sampled_from(IntervalUnit), st.integers(1, 3))
plans = st.builds(
    PlanTerms,
    name=st.text(min_size=1, max_size=40),
    price=st.builds(Money, st.integers(1000, 10**8), st.sampled_from(["KRW", "USD"])),
    interval=intervals,
    plan_id=st.none() | st.text(max_size=9),
    version=st.integers(1, 9),
    tax_free=st.integers(0, 500),
    vat_amount=st.none() | st.integers(0, 500),
    trial_days=st.integers(0, 730),
    max_cycles=st.none() | st.integers(1, 99),
    zone=st.sampled_from(["Asia/Seoul", "America/New_York"]),
    consent_required=st.booleans(),
    on_no_consent=st.sampled_from(OnNoConsent),
    trial_end_without_card=st.sampled_from(TrialEnd),
)
OF_FIELDS = {
    str: st.text(max_size=12),
    str | None: st.none() | st.text(max_size=12),
    int: st.integers(0, 10**6),
    datetime: instants,
    datetime | None: st.none() | instants,
    Money: money,
    PlanTerms: plans,
    Mapping[str, str]: st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3),
    Mapping[str, Any]: st.dictionaries(
        st.text(max_size=9),
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9) | st.just({"amount": [9900]}),
        max_size=3,
    ),
}


def any_answer():
    text = st.text(min_size=1, max_size=9).filter(str.strip)
    return st.builds(ConsentEvidence, text, st.sampled_from(ConsentDecision), text, instants, text, st.none() | text)


def any_need():
    after = st.builds(Money, st.integers(10, 99))
    return st.builds(ConsentNeed, st.sampled_from(ConsentKind), st.just(Money(9)), after, instants, st.text(max_size=9))


retries = st.lists(st.integers(1, 9), max_size=9).map(tuple)
OF_FIELDS |= {
    Coupon | None: st.none() | coupons(),
    Money | None: st.none() | money,
    ConsentNeed: any_need(),
    DunningPolicy | None: st.none() | st.builds(DunningPolicy, after_days=retries, grace_days=st.integers(0, 99)),
    ConsentEvidence | None: st.none() | any_answer(),
}


def any_of(type_):
    """Every field drawn, the optional ones too; the records inside come from here as well."""
    drawn = {}
    for field in fields(type_):
        inner = [part for part in (field.type, *get_args(field.type)) if is_dataclass(part) and part not in OF_FIELDS]
        if field.type in OF_FIELDS:
            drawn[field.name] = OF_FIELDS[field.type]
        elif not inner:
            drawn[field.name] = st.from_type(field.type)
        elif get_origin(field.type) is tuple:
            drawn[field.name] = st.lists(any_of(inner[0]), max_size=2).map(tuple)
        else:
            drawn[field.name] = any_of(inner[0]) | st.none() if type(None) in get_args(field.type) else any_of(inner[0])
    return st.builds(type_, **drawn)


def quotes():
    end = NOW + timedelta(days=31)
    return st.builds(
        change_now,
        holdings(),
        holdings(),
        st.just(NOW),
        st.just(end),
        st.datetimes(NOW.replace(tzinfo=None), end.replace(tzinfo=None), timezones=st.just(UTC)),
        st.sampled_from(ProrationMode),
        balances,
    )


CARRIED = {
    type_: any_of(type_) for type_ in (PaymentFact, ScheduleFact, BillingKeyFact, Verdict, Expected, NoticeRoute)
}
CARRIED |= {type_: st.just(type_()) for type_ in (RetryLadder, DunningPolicy, DeadlineLadder, QuietWindow)}
CARRIED |= {Money: money, Interval: intervals, PlanTerms: plans}
CARRIED |= {Coupon: coupons(), Holding: holdings(), Bill: st.builds(period_bill, holdings(), balances)}
CARRIED |= {ChangeQuote: quotes(), ConsentEvidence: any_answer(), ConsentNeed: any_need()}
CARRIED |= {Anchor: st.builds(Anchor.at, instants, st.just("Asia/Seoul"))}


def through_json(type_, value):
    return TypeAdapter(type_).validate_json(pydantic_core.to_json(value))


@pytest.mark.parametrize("instant", [NAIVE, KOREAN_TIME])
@pytest.mark.parametrize(
    "make",
    [
        lambda at: PaymentFact("i", "m", "paid", Money(1), paid_at=at),
        lambda at: PaymentFact("i", "m", "failed", Money(1), failed_at=at),
        lambda at: ScheduleFact("m", "c", "scheduled", at, Money(1)),
        lambda at: BillingKeyFact("c", inserted_at=at),
        lambda at: BillingKeyFact("c", updated_at=at),
        lambda at: ChargeIntent("m", "w", records.ChargeKind.CYCLE, Money(1), "n", at),
        lambda at: ChargeResult("m", records.CycleState.PAID, at),
        lambda at: RefundRecord("r", "m", "i", Money(1), records.RefundState.INTENT, at),
        *(
            lambda at, name=name: SubscriptionRecord(
                **{
                    "subscription_id": "s",
                    "customer_uid": "c",
                    "workflow_id": "w",
                    "revision": 1,
                    "cycle": 1,
                    "status": records.SubscriptionStatus.ACTIVE,
                    "cycle_state": records.CycleState.PAID,
                    "plan": PlanTerms("n", Money(1), MONTHLY),
                    "customer": Customer(),
                    "started_at": NOW,
                    name: at,
                }
            )
            for name in ("started_at", "current_period_start", "current_period_end", "next_charge_at", "ended_at")
        ),
    ],
)
def test_an_instant_that_is_not_utc_is_refused(make, instant):
    make(NOW)
    with pytest.raises(ValueError, match="aware UTC"):
        make(instant)


def test_an_instant_in_json_that_is_not_utc_is_refused():
    text = pydantic_core.to_json(ChargeResult("m", records.CycleState.PAID, NOW)).replace(b"Z", b"+09:00")
    with pytest.raises(ValidationError, match="aware UTC"):
        TypeAdapter(ChargeResult).validate_json(text)


@pytest.mark.parametrize(
    ("field", "terms"),
    [
        ("name", {"name": ""}),
        ("name", {"name": "n" * 41}),
        ("price", {"price": Money(-1)}),
        ("price", {"price": Money(100_000_001)}),
        ("version", {"version": 0}),
        ("tax_free", {"tax_free": -1}),
        ("tax_free", {"tax_free": 9901}),
        ("vat_amount", {"vat_amount": -1}),
        ("vat_amount", {"vat_amount": 9901}),
        ("vat_amount", {"tax_free": 9000, "vat_amount": 901}),
        ("trial_days", {"trial_days": -1}),
        ("trial_days", {"trial_days": 731}),
        ("max_cycles", {"max_cycles": 0}),
        ("time zone", {"zone": "Asia/Pyongchang"}),
    ],
)
def test_terms_that_make_no_sense_are_refused_and_the_field_is_named(field, terms):
    with pytest.raises(ValueError, match=field):
        PlanTerms(**{"name": "Basic", "price": Money(9900), "interval": MONTHLY, **terms})


@pytest.mark.parametrize("terms", [{"name": "n" * 40}, {"tax_free": 9900}, {"vat_amount": 900}, {"price": Money(0)}])
def test_terms_at_their_limits_are_taken(terms):
    assert PlanTerms(**{"name": "Basic", "price": Money(9900), "interval": MONTHLY, **terms})


def test_terms_that_were_stored_before_consent_was_known_still_load_and_ask_for_none():
    old = (
        b'{"name":"Basic","price":{"amount":9900,"currency":"KRW"},"interval":{"unit":"month","count":1},'
        b'"plan_id":null,"version":1,"tax_free":0,"vat_amount":null,"trial_days":0,"max_cycles":null,'
        b'"zone":"Asia/Seoul"}'
    )
    assert TypeAdapter(PlanTerms).validate_json(old) == PlanTerms("Basic", Money(9900), MONTHLY)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(any_of(LedgerEntry))
def test_a_ledger_entry_comes_back_from_json_as_it_was(entry):
    assert through_json(LedgerEntry, entry) == entry


@pytest.mark.parametrize("type_", CARRIED)
def test_whatever_a_workflow_carries_comes_back_from_json_as_it_was(type_):
    @settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
    @given(CARRIED[type_])
    def holds(value):
        assert through_json(type_, value) == value

    holds()


def test_every_record_is_frozen_and_takes_no_stray_attribute():
    checked = [type_ for type_ in vars(records).values() if isinstance(type_, type) and is_dataclass(type_)]
    assert LedgerEntry in checked
    for type_ in checked:
        assert "__dict__" not in dir(type_), type_
    with pytest.raises(FrozenInstanceError):
        LedgerEntry().deleted_billing_key = "c"


def test_no_record_has_a_place_for_card_data():
    names = {field.name for type_ in vars(records).values() if is_dataclass(type_) for field in fields(type_)}
    assert not names & {"expiry", "birth", "pwd_2digit", "cvc"}


@pytest.mark.parametrize("masked", [None, "", "****", "1234-****", "12", "****-****-****-12*4", "카드", "１２３４"])
def test_a_number_without_four_last_digits_is_not_kept_at_all(masked):
    assert last_four(masked) is None
    assert mask_to_last_four(masked) is None


@pytest.mark.parametrize(
    "number",
    ["95404900****1569", "9540-49**-****-1569", "9540490012341569", "9540.4900.1234.1569", "1569", "**** 1569 "],
)
def test_of_any_card_number_only_the_last_four_digits_are_kept(number):
    assert last_four(number) == "1569"
    assert mask_to_last_four(number) == "****-****-****-1569"


@pytest.mark.parametrize(
    ("name", "number", "label"),
    [
        ("신한카드", "****-****-****-1569", "신한카드 ****1569"),
        ("신한카드", None, "신한카드"),
        (None, "****-****-****-1569", "****1569"),
        (None, None, None),
    ],
)
def test_a_billing_key_reads_as_far_as_it_is_known(name, number, label):
    assert BillingKeyFact("kim", card_name=name, card_number=number).label() == label
