"""What the journeys of unpaid periods share."""

from datetime import datetime, timedelta

from billing.domain.states import CycleState
from tests.journeys.watching import watch

PAID, DECLINED = CycleState.PAID, CycleState.DECLINED
HARD, SOFT, SOFT_TWICE, LATE, GOOD = "0003", "0002", "0004", "0006", "1111"
AMOUNT = 9900


def number(last_four):
    return f"4518-4212-3456-{last_four}"


def method(last_four):
    return {"card": {"card_number": number(last_four), "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}}


async def begin(stack, last_four, *, window=None, **dunning):
    """A subscription whose first charge comes after a day of trial, on a card of that kind, and what is watched of it.

    `window` is a PG whose key was issued in the payment window.
    """
    more = {"dunning": dunning} if dunning else {}
    uid = None
    if window is not None:
        uid, more["payment_method"] = f"window_{window}", {"billing_key": True}
        key = {"customer_uid": uid, "card_number": number(last_four), "pg": window}
        assert (await stack.emulator.post("/emulator/window/billing-key", json=key)).status_code == 201
    plan = {"name": "월간 이용권", "amount": AMOUNT, "interval": "month", "trial_days": 1}
    uid = await stack.start(uid, card=number(last_four), plan=plan, **more)
    return uid, watch(stack)


async def declined(stack, last_four, **options):
    """The same, an hour after its first charge was declined."""
    uid, seen = await begin(stack, last_four, **options)
    await stack.advance(uid, days=1, hours=1)
    assert (await stack.subscription(uid))["status"] == "past_due"
    return uid, seen


async def attempts(stack, uid):
    """Every attempt of the first period, under whichever number, as it was booked: (state, days since the first)."""
    numbers = [row["merchant_uid"] for row in await stack.charges(uid) if row["cycle"] == 1]
    results = [result for number in numbers for result in await stack.ledger.list_results(number)]
    tried = sorted((result.at, result.state.value) for result in results if result.state in (PAID, DECLINED))
    assert len(tried) == sum([len(await stack.portone.find_all_payments(number)) for number in numbers])
    return [(state, round((moment - tried[0][0]) / timedelta(days=1))) for moment, state in tried]


def at(text):
    return datetime.fromisoformat(text)
