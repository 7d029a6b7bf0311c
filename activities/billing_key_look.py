"""What stands on a billing key: all of its schedules and payments, from every window and page."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from temporalio import activity

from activities.errors import of_portone
from billing.domain.facts import ScheduleFact
from billing.domain.takeover import KeyPayment
from billing.domain.windows import SCHEDULES_LONGEST, Window
from billing.portone import Page, Payment, PortOneClient, PortOneError, PortOneUnavailableError, Schedule
from workflows import ports
from workflows.billing_key.contracts import KeyPaymentsAsked, KeyPaymentsFound

RowT = TypeVar("RowT", Payment, Schedule)

BEHIND = SCHEDULES_LONGEST
"""How long a schedule may be overdue and still stand: one window."""

AHEAD = 9 * SCHEDULES_LONGEST
"""A little over two years: whoever registers the charges of years ahead registers their next one within it."""

ROWS_PER_PAGE = 20
MOST_PAGES = 500
"""Ten thousand rows of one key, far more than any card is charged."""


class KeyActivities(ports.KeyActivities):
    """Calls `/subscribe/payments/schedule/customers/{customer_uid}` and `/subscribe/customers/{customer_uid}/payments`.

    A list that does not add up is an outage: a row that is missing here would be charged beside.
    """

    def __init__(self, client: PortOneClient) -> None:
        self._client = client

    @activity.defn
    async def list_key_schedules(self, customer_uid: str) -> Sequence[ScheduleFact]:
        """Every charge that is scheduled on the key or has run, the earliest first; revoked ones are nobody's."""
        now = activity.info().current_attempt_scheduled_time.replace(microsecond=0)
        windows = Window(now - BEHIND, now + AHEAD).split(SCHEDULES_LONGEST)
        try:
            parts = await asyncio.gather(*(self._schedules_in(customer_uid, window) for window in windows))
        except PortOneError as error:
            raise of_portone(error) from None
        rows = {row.merchant_uid: row.fact() for part in parts for row in part if row.schedule_status != "revoked"}
        return sorted(rows.values(), key=lambda row: (row.schedule_at, row.merchant_uid))

    async def _schedules_in(self, customer_uid: str, window: Window) -> list[Schedule]:
        def ask(number: int) -> Awaitable[Page[Schedule]]:
            return self._client.list_customer_schedules(customer_uid, start=window.start, end=window.end, page=number)

        return await _all_pages(ask, lambda row: row.merchant_uid)

    @activity.defn
    async def list_key_payments(self, asked: KeyPaymentsAsked) -> KeyPaymentsFound:
        """The paid payments of the key since an instant."""

        def ask(number: int) -> Awaitable[Page[Payment]]:
            return self._client.list_billing_key_payments(asked.customer_uid, page=number)

        try:
            rows = await _all_pages(ask, lambda row: row.imp_uid)
        except PortOneError as error:
            raise of_portone(error) from None
        paid = [row for row in rows if row.paid_time is not None and row.paid_time >= asked.since]
        found = tuple(KeyPayment(row.fact(), row.customer_uid_usage) for row in paid)
        return KeyPaymentsFound(payments=found, any_at_all=bool(rows))


async def _all_pages(ask: Callable[[int], Awaitable[Page[RowT]]], name: Callable[[RowT], str]) -> list[RowT]:
    found: dict[str, RowT] = {}
    number = 1
    for _ in range(MOST_PAGES):
        page = await ask(number)
        new = {name(row): row for row in page.items if name(row) not in found}
        found |= new
        # By the schema the list of schedules is a bare array (facts.md 2.3), which does not say whether more follows.
        may_go_on = bool(new) and len(page.items) == page.total == ROWS_PER_PAGE
        if page.next <= number and not may_go_on:
            if len(found) >= page.total:
                return list(found.values())
            break
        number = max(page.next, number + 1)
    raise PortOneUnavailableError("GET what stands on a billing key", message="pages that do not add up")
