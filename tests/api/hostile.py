"""What is thrown at every route: a good request for each, and the ways to make it a bad one."""

import copy
import json
from dataclasses import dataclass, field

from tests.api.requests import CARD, CARD_NUMBER, CUSTOMER, PLAN
from tests.ledger.stories import LIFE, order

UID = "kim_1"
SHOWN = {"shown": "월 9,900원, 매월 31일", "by": UID}

# One good body for each operation that takes one: a new operation is not in the table until it has its own.
BODIES = {
    "POST /v1/subscriptions": {
        "customer_uid": "new_1",
        "plan": {
            **PLAN,
            "time_zone": "Asia/Seoul",
            "trial_days": 0,
            "max_cycles": 12,
            "tax_free": 0,
            "vat_amount": 900,
        },
        "payment_method": {"card": CARD},
        "pg": "nice",
        "quantity": 2,
        "billing_day": 31,
        "coupon": {"name": "쿠폰", "percent_off": 10, "duration": "repeating", "duration_cycles": 3},
        "dunning": {"after_days": [1, 3], "grace_days": 7, "end_action": "cancel"},
        "customer": CUSTOMER,
        "metadata": {"사번": "77"},
    },
    "POST /v1/subscriptions/{customer_uid}/cancel": {"at": "now", "reason": "이사", "refund": "none"},
    "POST /v1/subscriptions/{customer_uid}/cancel/preview": {"at": "now", "refund": "prorated"},
    "POST /v1/subscriptions/{customer_uid}/pause": {"at": "now", "resumes_at": "2099-01-01T00:00:00+09:00"},
    "POST /v1/subscriptions/{customer_uid}/skip": {"periods": 2, "reason": "휴가"},
    "POST /v1/subscriptions/{customer_uid}/skip/preview": {"periods": 2},
    "POST /v1/subscriptions/{customer_uid}/resume": {"anchor": "new", "consent": {**SHOWN, "ip": "127.0.0.1"}},
    "POST /v1/subscriptions/{customer_uid}/change-plan": {
        "plan": PLAN,
        "quantity": 3,
        "at": "now",
        "proration": "none",
    },
    "POST /v1/subscriptions/{customer_uid}/change-plan/preview": {"quantity": 3},
    "POST /v1/subscriptions/{customer_uid}/trial": {"ends_at": "2099-01-01T00:00:00+09:00"},
    "POST /v1/subscriptions/{customer_uid}/payment-method": {
        "payment_method": {"card": CARD},
        "customer_uid": "kim_2",
        "channel_key": "channel-key-1",
    },
    "POST /v1/subscriptions/{customer_uid}/retry": {"by": UID},
    "POST /v1/subscriptions/{customer_uid}/consent": {
        **SHOWN,
        "decision": "granted",
        "locale": "ko-KR",
        "user_agent": "a",
    },
    "POST /v1/parked/{customer_uid}": {"decision": "retry", "by": UID, "reason": "확인", "parked_id": "a"},
    "POST /v1/payments": {
        "amount": 12000,
        "name": "단건",
        "card": CARD,
        "merchant_uid": "order-1",
        "currency": "KRW",
        "tax_free": 0,
        "customer_uid": "new_2",
        "customer": CUSTOMER,
    },
    "POST /v1/payments/{merchant_uid}/refunds": {"amount": 100, "reason": "이사", "tax_free": 0, "vat_amount": 0},
    "POST /v1/billing-keys": {"customer_uid": "new_3", "card": CARD, "customer": CUSTOMER},
    "POST /v1/plans": {**PLAN, "plan_id": "gold"},
    "POST /v1/event-endpoints": {"url": "http://127.0.0.1:9/events", "event_types": ["subscription.paused"]},
    "PATCH /v1/event-endpoints/{endpoint_id}": {"enabled": True, "description": "받는 곳"},
    "POST /v1/event-endpoints/{endpoint_id}/rotate-secret": {"overlap_hours": 1},
    "POST /v1/events/{event_id}/replay": {"endpoint_id": "ep_" + "a" * 24},
    "POST /v1/reconciliation": {"from": "2027-01-01T00:00:00Z", "to": "2027-01-02T00:00:00Z", "settle_minutes": 10},
    "POST /v1/reconciliation/differences/{difference_id}/accept": {"who": UID, "why": "확인"},
    "POST /v1/test-clocks/{customer_uid}/advance": {"distance": "31d"},
}

PATH = {
    "customer_uid": UID,
    "merchant_uid": order(),
    "plan_id": "premium",
    "pg_provider": "nice",
    "endpoint_id": "ep_" + "a" * 24,
    "event_id": "evt_" + LIFE,
    "difference_id": "1",
    "token": "a.b.c",
}

BAD_SEGMENTS = {
    "a NUL": "a%00b",
    "a newline": "a%0Ab",
    "an escape": "a%1Bb",
    "81 letters": "a" * 81,
    "256 letters": "a" * 256,
    "4,000 letters": "a" * 4000,
    "no UTF-8": "%FF%FE",
    "a way up": "..%2F..%2Fplans",
    "a number of 400 digits": "9" * 400,
    "a card": CARD_NUMBER,
    "one over 64 bits": str(2**63),
}

CUT = b'{"card": {"card_number": "' + CARD_NUMBER.encode()

# Never good on any route, whatever it takes.
BAD_BODIES = {
    "cut off": CUT,
    "single quotes": b"{'a': 1}",
    "a list": b"[]",
    "a string": b'"' + CARD_NUMBER.encode() + b'"',
    "a number": b"1",
    "NaN alone": b"NaN",
    "minus Infinity": b"-Infinity",
    "deep lists": b"[" * 50_000,
    "deep objects": b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
    "5,000 digits": b'{"amount": ' + b"9" * 5_000 + b"}",
    "UTF-16": json.dumps({"amount": 1}).encode("utf-16"),
    "Latin-1": '{"reason": "é"}'.encode("latin-1"),
    "a byte-order mark": b"\xef\xbb\xbf{}",
    "a bare NUL": b'{"a": "\x00"}',
    "the same key twice": b'{"amount": 1000, "amount": 100}',
    "the same key twice, deep": b'{"plan": {"amount": 1000, "name": "a", "amount": 100}}',
    "the same key, once escaped": b'{"amount": 1000, "\\u0061mount": 100}',
    "a card as a key": ('{"' + CARD_NUMBER.replace("-", "") + '": 1}').encode(),
    "a key that is NaN": b'{"amount": NaN, "nobody": NaN}',
}

# What a field may be made into: refused or, where it happens to be right, taken; never an error of ours.
BAD_VALUES = [
    None,
    -1,
    10**400,
    float("nan"),
    "a\x00b",
    "\ud800",
    CARD_NUMBER,
    "a" * 20_000,
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    {"a": 1},
]


@dataclass(frozen=True)
class Operation:
    """One method on one path, with what it declares."""

    method: str
    path: str
    segments: tuple[str, ...]
    queries: tuple[str, ...] = ()

    @property
    def name(self):
        return f"{self.method} {self.path}"

    @property
    def is_ours(self):
        return self.path.startswith("/v1/")

    @property
    def is_for_portone(self):
        return self.path.startswith(("/webhooks/", "/iamport-callback/"))

    def url(self, **instead):
        url = self.path
        for segment in self.segments:
            url = url.replace(f"{{{segment}}}", instead.get(segment, PATH[segment]))
        return url


def operations(app):
    """Every operation of the application, as its own document lists them."""
    return [
        Operation(
            method.upper(),
            path,
            tuple(each["name"] for each in described.get("parameters", ()) if each["in"] == "path"),
            tuple(each["name"] for each in described.get("parameters", ()) if each["in"] == "query"),
        )
        for path, methods in app.openapi()["paths"].items()
        for method, described in methods.items()
    ]


def made_bad(body):
    """The body with one of its values, at whatever depth, made into each of the bad ones."""
    for place in places(body):
        for value in BAD_VALUES:
            changed = copy.deepcopy(body)
            at = changed
            for step in place[:-1]:
                at = at[step]
            at[place[-1]] = value
            yield json.dumps(changed, allow_nan=True).encode()


def places(body, before=()):
    for key, value in body.items():
        yield (*before, key)
        if isinstance(value, dict):
            yield from places(value, (*before, key))


@dataclass
class Tally:
    """How many answers there were, by what was wrong and by status."""

    answers: dict[str, dict[int, int]] = field(default_factory=dict)

    def count(self, kind, status):
        row = self.answers.setdefault(kind, {})
        row[status] = row.get(status, 0) + 1

    def __str__(self):
        total = sum(sum(row.values()) for row in self.answers.values())
        lines = [
            f"{kind}: " + ", ".join(f"{n} x {status}" for status, n in sorted(row.items()))
            for kind, row in self.answers.items()
        ]
        return "\n".join([f"{total} answers", *lines])
