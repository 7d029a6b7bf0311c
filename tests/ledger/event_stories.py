"""The small pieces that the tests of outgoing events tell their stories with."""

from dataclasses import replace
from datetime import timedelta

from billing.domain.delivery import MAX_ATTEMPTS
from billing.domain.events import EventType, OutgoingEvent
from billing.domain.records import LedgerEntry
from billing.ledger import Ledger, Sent
from billing.signing import new_secret
from tests.ledger.stories import day

KEYS = (bytes(range(32)),)
SOON = timedelta(seconds=5)


def told(number: int, customer_uid: str = "kim_1", **changes: object) -> OutgoingEvent:
    made = OutgoingEvent(
        event_id=f"evt_{customer_uid}_{number}",
        type=EventType.CHARGE_PAID,
        at=day(number),
        customer_uid=customer_uid,
        summary=f"paid for period {number}",
        data={"customer_uid": customer_uid, "amount": 9900, "이름": "월간"},
    )
    return replace(made, **changes)


def entry(*numbers: int, customer_uid: str = "kim_1", **changes: object) -> LedgerEntry:
    return LedgerEntry(events=tuple(told(number, customer_uid, **changes) for number in numbers))


async def endpoint(ledger: Ledger, name: str = "a", *, types: list[str] | None = None) -> str:
    added = await ledger.event_endpoints(KEYS).add(
        f"ep_{name}", f"https://{name}.example.com/", new_secret(), event_types=types, description=None
    )
    assert added is not None
    return added.endpoint_id


async def attempt(ledger: Ledger, target: str, number: int, status: int | None, *, at: float = 0, count: int = 1):
    """One attempt, opened and closed; answers how it was closed."""
    deliveries = ledger.event_deliveries(KEYS)
    event_id = told(number).event_id
    parcel = await deliveries.open_attempt(target, event_id, count, day(at), day(at))
    assert parcel is not None
    following = None if count == MAX_ATTEMPTS else day(at) + SOON
    return await deliveries.close_attempt(target, event_id, count, Sent(status), at=day(at), next_at=following)


async def turn(ledger: Ledger, target: str, at: float = 0, customer_uid: str = "kim_1"):
    return await ledger.event_deliveries(KEYS).next_turn(target, customer_uid, day(at))


async def states(ledger: Ledger, target: str) -> dict[str, str]:
    rows = await ledger.events.deliveries(endpoint_id=target, limit=200)
    return {row.event_id.rpartition("_")[2]: row.state.value for row in rows}
