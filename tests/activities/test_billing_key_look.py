"""Everything that stands on a key is found: in every window, on every page, in both shapes of PortOne's list."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.billing_key_look import KeyActivities
from billing.domain.windows import SCHEDULES_LONGEST
from billing.portone import Page, Payment, Schedule
from workflows.billing_key.contracts import KeyPaymentsAsked

NOW = datetime(2027, 3, 1, 9, tzinfo=UTC)


def schedule(number, at, status="scheduled"):
    row = {"merchant_uid": number, "customer_uid": "kim", "schedule_at": int(at.timestamp()), "amount": 9900}
    return Schedule.model_validate({**row, "currency": "KRW", "schedule_status": status})


def payment(number, at):
    row = {
        "imp_uid": f"imp_{number}",
        "merchant_uid": f"m{number}",
        "amount": 9900,
        "currency": "KRW",
        "status": "paid",
    }
    return Payment.model_validate({**row, "paid_at": int(at.timestamp()), "customer_uid_usage": "payment.scheduled"})


class Listed:
    """PortOne's list of a key's schedules; bare without page numbers, or short of what it counts."""

    def __init__(self, rows, *, bare=False, missing=0):
        self.rows, self.bare, self.missing, self.asked = rows, bare, missing, []

    async def list_customer_schedules(self, customer_uid, *, start, end, page):
        assert customer_uid == "kim"
        assert end - start <= SCHEDULES_LONGEST
        self.asked.append((start, end))
        inside = [row for row in self.rows if start.timestamp() <= row.schedule_at < end.timestamp()]
        rows = inside[(page - 1) * 20 : page * 20]
        if self.bare:
            return Page[Schedule].model_validate({"list": rows, "total": len(rows)})
        following = page + 1 if len(inside) > page * 20 else 0
        return Page[Schedule].model_validate({"list": rows, "total": len(inside) + self.missing, "next": following})


async def found(client):
    environment = ActivityEnvironment()
    environment.info = environment.default_info()
    environment.info = environment.info.__class__(
        **{
            **{name: getattr(environment.info, name) for name in environment.info.__dataclass_fields__},
            "current_attempt_scheduled_time": NOW,
        }
    )
    return [row.merchant_uid for row in await environment.run(KeyActivities(client).list_key_schedules, "kim")]


@pytest.mark.parametrize("bare", [False, True])
async def test_a_key_s_schedules_of_two_years_are_found_on_every_page_the_earliest_first(bare):
    near = [schedule(f"m{n:02}", NOW + timedelta(days=1, minutes=n)) for n in range(45)]
    far = [schedule("overdue", NOW - timedelta(days=80)), schedule("far", NOW + timedelta(days=760))]
    gone = schedule("gone", NOW + timedelta(days=2), "revoked")
    client = Listed([*near, *far, gone], bare=bare)
    assert await found(client) == ["overdue", *(f"m{n:02}" for n in range(45)), "far"]
    edges = sorted(set(client.asked))
    assert all(first[1] == second[0] for first, second in itertools.pairwise(edges))


async def test_the_payments_of_a_key_are_those_since_then_and_it_is_told_whether_there_ever_was_one():
    class Paid:
        async def list_billing_key_payments(self, customer_uid, *, page):
            rows = [payment(n, NOW - timedelta(days=n)) for n in range(45)] if customer_uid == "kim" else []
            part = rows[(page - 1) * 20 : page * 20]
            following = page + 1 if len(rows) > page * 20 else 0
            return Page[Payment].model_validate({"list": part, "total": len(rows), "next": following})

    def look(customer_uid, days):
        asked = KeyPaymentsAsked(customer_uid=customer_uid, since=NOW - timedelta(days=days))
        return ActivityEnvironment().run(KeyActivities(Paid()).list_key_payments, asked)

    near = await look("kim", 30)
    assert [each.payment.imp_uid for each in near.payments] == [f"imp_{n}" for n in range(31)]
    assert {each.usage for each in near.payments} == {"payment.scheduled"}
    future = await look("kim", -1)
    assert (future.payments, future.any_at_all) == ((), True)
    assert (await look("lee", 30)).any_at_all is False


async def test_a_list_that_is_shorter_than_it_says_is_not_believed():
    with pytest.raises(ApplicationError, match="do not add up"):
        await found(Listed([schedule("m1", NOW + timedelta(days=1))], missing=1))
