"""Every outgoing event with the sentence that says when it comes and the shape of its `data`.

docs/reference/events.md is written from this page by docs/generate.py.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Any

from billing.domain.event_data import (
    ChangeData,
    ChargeData,
    ConsentData,
    DifferenceData,
    EventData,
    OverdueData,
    ParkedData,
    PaymentMethodData,
    PingData,
    RefundData,
    SubscriptionData,
)
from billing.domain.events import EventType, OutgoingEvent
from billing.domain.instants import rfc3339

PING = "endpoint.ping"
"""The event that `POST /v1/event-endpoints/{id}/test` sends; it belongs to an endpoint and to no subscription."""

EVENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_:-]{0,99}", re.ASCII)
"""What an event_id may be: a header value, and without the full stop that Standard Webhooks signs between the parts."""


@dataclass(frozen=True, slots=True)
class CataloguedEvent:
    """When an event comes, in one sentence, and the shape of its `data`."""

    sentence: str
    data: type[EventData] | type[PingData]


_E = EventType
_OF = CataloguedEvent
CATALOGUE: Mapping[EventType, CataloguedEvent] = MappingProxyType(
    {
        _E.SUBSCRIPTION_CREATED: _OF(
            "A subscription has begun; its trial or its first charge follows.", SubscriptionData
        ),
        _E.SUBSCRIPTION_TRIALING: _OF("A trial has begun.", SubscriptionData),
        _E.SUBSCRIPTION_TRIAL_WILL_END: _OF("A trial ends soon, at `trial_end`.", SubscriptionData),
        _E.SUBSCRIPTION_TRIAL_CHANGED: _OF("A trial was extended or ended by hand.", SubscriptionData),
        _E.SUBSCRIPTION_ACTIVE: _OF(
            "A subscription is paid for: after its start, its trial, or a time without payment.", SubscriptionData
        ),
        _E.SUBSCRIPTION_START_FAILED: _OF(
            "A subscription did not begin: the card was refused or the first charge failed.", SubscriptionData
        ),
        _E.SUBSCRIPTION_PAST_DUE: _OF("A period is due and not paid; it is tried again.", SubscriptionData),
        _E.SUBSCRIPTION_UNPAID: _OF(
            "A period stays unpaid after every attempt; nothing is tried until somebody acts.", SubscriptionData
        ),
        _E.SUBSCRIPTION_SUSPENDED: _OF("The grace is over: access should be closed.", SubscriptionData),
        _E.SUBSCRIPTION_CANCEL_SCHEDULED: _OF("A subscription will end with its period.", SubscriptionData),
        _E.SUBSCRIPTION_CANCEL_UNDONE: _OF("A subscription will not end with its period after all.", SubscriptionData),
        _E.SUBSCRIPTION_CANCELED: _OF("A subscription has ended: canceled, or not paid to the end.", SubscriptionData),
        _E.SUBSCRIPTION_EXPIRED: _OF("A subscription of a fixed term has run to its end.", SubscriptionData),
        _E.SUBSCRIPTION_PAUSE_SCHEDULED: _OF("A subscription will pause with its period.", SubscriptionData),
        _E.SUBSCRIPTION_SKIP_SCHEDULED: _OF(
            "The next periods are skipped: nothing is charged before `next_charge_at`.", SubscriptionData
        ),
        _E.SUBSCRIPTION_SKIP_UNDONE: _OF("Periods that had not begun are not skipped after all.", SubscriptionData),
        _E.SUBSCRIPTION_SKIPPED: _OF(
            "A skipped period has begun: nothing was paid for it, so the service is not to be given.", SubscriptionData
        ),
        _E.SUBSCRIPTION_PAUSED: _OF("A subscription is paused; nothing is charged.", SubscriptionData),
        _E.SUBSCRIPTION_RESUMED: _OF("A paused subscription goes on.", SubscriptionData),
        _E.SUBSCRIPTION_RENEWAL_UPCOMING: _OF("A charge comes soon, at `next_charge_at`.", SubscriptionData),
        _E.SUBSCRIPTION_PARKED: _OF("Only a person can decide how it goes on.", ParkedData),
        _E.SUBSCRIPTION_DECIDED: _OF("A person decided, and it goes on.", ParkedData),
        _E.SUBSCRIPTION_OVERDUE: _OF(
            "A period is due, neither paid nor parked, and nothing that runs here settles it; once a period.",
            OverdueData,
        ),
        _E.PLAN_CHANGE_SCHEDULED: _OF("A change of plan or quantity will take effect.", ChangeData),
        _E.PLAN_CHANGE_CANCELED: _OF("A change that was to take effect was taken back or replaced.", ChangeData),
        _E.PLAN_CHANGE_DECLINED: _OF("The payment of a change was declined; the old terms stay.", ChangeData),
        _E.PLAN_CHANGE_APPLIED: _OF("A change of plan or quantity has taken effect.", ChangeData),
        _E.PAYMENT_METHOD_CHANGED: _OF("Another billing key is charged from now on.", PaymentMethodData),
        _E.PAYMENT_METHOD_REFUSED: _OF("A new billing key was refused; the old one stays.", PaymentMethodData),
        _E.PAYMENT_METHOD_DELETED_ELSEWHERE: _OF(
            "The billing key is gone at PortOne, and it was not deleted here.", PaymentMethodData
        ),
        _E.PAYMENT_METHOD_SCHEDULED_ELSEWHERE: _OF(
            "A subscription has ended, and charges that nobody here ordered are left on its billing key.",
            PaymentMethodData,
        ),
        _E.CONSENT_REQUESTED: _OF("The buyer has to consent before the next charge.", ConsentData),
        _E.CONSENT_GRANTED: _OF("The buyer consented.", ConsentData),
        _E.CONSENT_REFUSED: _OF("The buyer refused.", ConsentData),
        _E.CONSENT_LAPSED: _OF("The buyer did not answer in time.", ConsentData),
        _E.CHARGE_PAID: _OF("A charge is paid.", ChargeData),
        _E.CHARGE_DECLINED: _OF("An attempt to charge was declined.", ChargeData),
        _E.CHARGE_SKIPPED: _OF("A period needs no charge.", ChargeData),
        _E.CHARGE_UNKNOWN: _OF("Nobody knows yet whether a charge was made; it is being looked up.", ChargeData),
        _E.CHARGE_LATE_PAID: _OF("A charge that had failed was paid after all.", ChargeData),
        _E.CHARGE_MISMATCH: _OF("PortOne has a payment that is not what was ordered.", ChargeData),
        _E.CHARGE_REVOKED_ELSEWHERE: _OF("A scheduled charge was revoked, and not from here.", ChargeData),
        _E.CHARGE_MOVED_ELSEWHERE: _OF("A scheduled charge was moved to another time, and not from here.", ChargeData),
        _E.CHARGE_REFUNDED_ELSEWHERE: _OF("A paid charge was refunded, and not from here.", ChargeData),
        _E.REFUND_SUCCEEDED: _OF("Money was refunded.", RefundData),
        _E.REFUND_REFUSED: _OF("PortOne refused a refund.", RefundData),
        _E.REFUND_UNKNOWN: _OF("Nobody knows yet whether a refund was made; it is being looked up.", RefundData),
        _E.DIFFERENCE_FOUND: _OF("PortOne and the ledger do not agree on something.", DifferenceData),
    }
)

CATALOGUED_PING = CataloguedEvent("Somebody asked for a test of this endpoint.", PingData)


def event(
    type: EventType,  # noqa: A002 - the wire's name
    at: datetime,
    event_id: str,
    summary: str,
    data: EventData,
) -> OutgoingEvent:
    """The event that says that this happened, with its data as JSON values; pure, for workflow code.

    Args:
        type: what happened.
        at: aware UTC, by the workflow's clock.
        event_id: the same for the same happening, however often the step is taken; letters, digits, `_`, `-`, `:`.
        summary: one English line for people, without personal data.
        data: of the shape that the catalogue says; its customer_uid is whose order of events this belongs to.

    Raises:
        ValueError: `data` is not of that shape, or the event_id cannot be a header and part of a signature.
    """
    shape = CATALOGUE[type].data
    if not isinstance(data, shape):
        raise ValueError(f"{type} carries {shape.__name__}, not {data.__class__.__name__}")  # noqa: TRY004 - see Raises
    if EVENT_ID.fullmatch(event_id) is None:
        raise ValueError(f"not an event_id: {event_id!r}")
    return OutgoingEvent(
        event_id=event_id,
        type=type,
        at=at,
        customer_uid=data.customer_uid,
        summary=summary,
        data=as_json(data),
        subscription_id=data.subscription_id,
        merchant_uid=getattr(data, "merchant_uid", None),
    )


def as_json(data: EventData | PingData) -> dict[str, Any]:
    """A shape as JSON values: instants as RFC 3339 in UTC, enums as their values, nested shapes as objects."""
    values: dict[str, Any] = _json(data)
    return values


def _json(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    return value
