import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import TypeAdapter

from billing.domain.calendar import Interval, IntervalUnit
from billing.domain.event_catalogue import CATALOGUE, as_json, event
from billing.domain.event_data import ChargeData, PlanData, RefundData, SubscriptionData
from billing.domain.events import EventType
from billing.domain.instants import rfc3339
from billing.domain.message import Message
from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.domain.states import CycleState, SubscriptionStatus

AT = datetime(2026, 1, 31, 0, 0, 30, tzinfo=UTC)
KST = timezone(timedelta(hours=9))
TERMS = PlanTerms("월간 이용권", Money(9900), Interval(IntervalUnit.MONTH), plan_id="gold", version=3)


def charge(**more):
    return ChargeData("buyer_1", "s1", "order1", 2, CycleState.PAID, 9900, "KRW", **more)


def test_data_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="carries ChargeData"):
        event(EventType.CHARGE_PAID, AT, "evt_1", "paid", RefundData("r1", "s1", "r", "o", None, "refunded", 1, "KRW"))


@pytest.mark.parametrize("event_id", ["", "evt.1", "evt 1", "evt\n1", "é", "_1", "a" * 101])
def test_an_id_that_could_not_be_signed_is_refused(event_id):
    with pytest.raises(ValueError, match="event_id"):
        event(EventType.CHARGE_PAID, AT, event_id, "paid", charge())


def test_an_instant_of_another_zone_is_refused():
    with pytest.raises(ValueError, match="paid_at"):
        charge(paid_at=AT.astimezone(KST))
    with pytest.raises(ValueError, match="UTC"):
        rfc3339(AT.astimezone(KST))


def test_every_event_is_catalogued_with_a_sentence():
    assert set(CATALOGUE) == set(EventType)
    for entry in CATALOGUE.values():
        assert entry.sentence[0].isupper()
        assert entry.sentence.endswith(".")


def test_every_shape_has_a_schema_and_documents_every_field():
    for shape in {entry.data for entry in CATALOGUE.values()}:
        schema = TypeAdapter(shape).json_schema()
        assert {"customer_uid", "subscription_id"} <= set(schema["properties"])
        own = [field.name for field in fields(shape) if field.name not in ("customer_uid", "subscription_id")]
        assert [name for name in own if f"        {name}: " not in shape.__doc__] == []


def test_an_event_holds_plain_json_with_instants_in_utc():
    told = event(EventType.CHARGE_PAID, AT, "evt_1", "paid 9,900 KRW", charge(paid_at=AT))
    assert json.loads(json.dumps(told.data)) == told.data
    assert told.data["paid_at"] == "2026-01-31T00:00:30Z"
    assert type(told.data["state"]) is str
    assert (told.customer_uid, told.subscription_id, told.merchant_uid) == ("buyer_1", "s1", "order1")


def test_nested_terms_are_told_in_the_words_of_a_plan():
    data = SubscriptionData("buyer_1", "s1", SubscriptionStatus.ACTIVE, PlanData.of(TERMS, 2), 19800, "KRW")
    assert as_json(data)["plan"] == {
        "name": "월간 이용권",
        "amount": 9900,
        "currency": "KRW",
        "interval": "month",
        "interval_count": 1,
        "quantity": 2,
        "plan_id": "gold",
        "version": 3,
    }


def test_an_event_crosses_a_process_unchanged():
    told = event(EventType.CHARGE_PAID, AT, "evt_1", "paid", charge(paid_at=AT))

    class Carried(Message):
        event: type(told)

    assert Carried.model_validate_json(Carried(event=told).model_dump_json()).event == told
