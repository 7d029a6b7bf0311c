"""One page of a reconciliation: a list of one side against the other side, then a fresh look at whatever may differ."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TypeVar

from temporalio import activity
from temporalio.client import Client

from activities.clocks import Clocks
from activities.errors import of_portone
from activities.examination import Examination, payment_facts, schedule_facts
from activities.workflow_runs import WorkflowRuns
from billing.domain.both_sides import Leeway
from billing.domain.differences import RunState
from billing.domain.facts import PaymentFact
from billing.domain.reconciliation import payment_is_suspicious, schedule_is_suspicious
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.windows import PAYMENTS_LONGEST, SCHEDULES_LONGEST, Window
from billing.ledger import ChargeRow, Cursor, Ledger, LivingSubscription
from billing.portone import Page, PortOneClient, PortOneError, PortOneRefusedError
from billing.portone.models import RowT
from billing.settings import Settings
from workflows import ports
from workflows.reconciliation.contracts import (
    BeginReconciliation,
    CompareSlice,
    EndReconciliation,
    Leg,
    ReconciliationEnded,
    ReconciliationPlan,
    SliceCompared,
    Stretch,
)

AT_ONCE = 100
"""Ids that PortOne takes in one look-up of many (facts.md 2.8)."""

LOOKS_AT_ONCE = 4
"""Fresh looks side by side: enough to hide a slow answer, far below the fifty calls a second that a PG asks for."""

_NOTHING_STANDS = frozenset({SubscriptionStatus.INCOMPLETE, SubscriptionStatus.UNPAID})
"""Statuses of subscriptions that have nothing registered at PortOne: not yet, or not until somebody acts."""

_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)

Item = TypeVar("Item")


class ReconciliationActivities(ports.ReconciliationActivities):
    """Reads PortOne's lists and the ledger's page by page, and examines what may differ."""

    def __init__(self, settings: Settings, client: PortOneClient, ledger: Ledger, temporal: Client) -> None:
        self._client = client
        self._ledger = ledger
        self._runs = WorkflowRuns(temporal)
        self._clocks = Clocks(settings)

    @activity.defn
    async def begin_reconciliation(self, order: BeginReconciliation) -> ReconciliationPlan:
        """Choose the windows and note the run."""
        start, asked = order.start, order.at
        end = _up_to_the_minute(start.end or (await self._clocks.read(asked)).latest() + _MINUTE)
        begin = _down_to_the_minute(start.start or asked - timedelta(days=start.look_back_days))
        payments = Window(min(begin, end - _MINUTE), end)
        schedules = Window(payments.start, end + timedelta(days=start.horizon_days + 1))
        await self._ledger.differences.begin_run(order.run_id, payments, schedules.end, order.at)
        stretches = [
            *(Stretch(leg=Leg.PAYMENTS, window=window) for window in payments.split(PAYMENTS_LONGEST)),
            *(Stretch(leg=Leg.SCHEDULES, window=window) for window in schedules.split(SCHEDULES_LONGEST)),
            Stretch(leg=Leg.CHARGES, window=payments),
            Stretch(leg=Leg.ONE_TIME_CHARGES, window=payments),
            Stretch(leg=Leg.SUBSCRIPTIONS, window=schedules),
            Stretch(leg=Leg.OPEN_DIFFERENCES, window=payments),
        ]
        return ReconciliationPlan(
            begun_at=order.at, payments=payments, schedules_end=schedules.end, stretches=stretches
        )

    @activity.defn
    async def compare_payments(self, order: CompareSlice) -> SliceCompared:
        """One page of PortOne's payments, oldest first."""
        window, number = order.stretch.window, int(order.cursor or 1)
        page = await _page(
            number,
            lambda: self._client.list_payments_by_status(
                "all",
                start=window.start,
                # PortOne's end is inside, ours is not.
                end=window.end - _SECOND,
                page=number,
                limit=order.page_size,
                oldest_first=True,
            ),
        )
        facts = payment_facts(page.items)
        here = await self._ledger.reconciliation.orders({row.merchant_uid: row.customer_uid for row in facts})
        counts = {
            "payments": len(page.items),
            "unreadable": len(page.items) - len(facts),
            "not_ours": sum(not here[row.merchant_uid].is_ours for row in facts),
        }
        suspicious = (row for row in facts if payment_is_suspicious(here[row.merchant_uid], row))
        orders = {row.merchant_uid: row.customer_uid for row in suspicious}
        return await self._examine_orders(order, orders, counts, cursor=_next(page), total=page.total)

    @activity.defn
    async def compare_schedules(self, order: CompareSlice) -> SliceCompared:
        """One page of PortOne's schedules, oldest first; those of ours are noted as seen."""
        window, number = order.stretch.window, int(order.cursor or 1)
        page = await _page(
            number,
            lambda: self._client.list_schedules(
                start=window.start, end=window.end, page=number, limit=order.page_size, oldest_first=True
            ),
        )
        facts = schedule_facts(page.items)
        here = await self._ledger.reconciliation.orders({row.merchant_uid: row.customer_uid for row in facts})
        ours = [row for row in facts if here[row.merchant_uid].is_ours]
        await self._ledger.reconciliation.see_schedules(order.run_id, ours, order.at)
        counts = {
            "schedules": len(page.items),
            "unreadable": len(page.items) - len(facts),
            "not_ours": len(facts) - len(ours),
        }
        leeway = Leeway()
        suspicious = (row for row in ours if schedule_is_suspicious(here[row.merchant_uid], row, leeway))
        orders = {row.merchant_uid: row.customer_uid for row in suspicious}
        return await self._examine_orders(order, orders, counts, cursor=_next(page), total=page.total)

    @activity.defn
    async def compare_charges(self, order: CompareSlice) -> SliceCompared:
        """One page of the charges that the ledger settled in the window, each asked for at PortOne by its payment."""
        rows = await self._ledger.reconciliation.settled(
            order.stretch.window, _read_cursor(order.cursor), order.page_size
        )
        suspicious: dict[str, str | None] = {}
        for some in _batches(rows):
            here = await self._ledger.reconciliation.orders({row.merchant_uid: row.customer_uid for row in some})
            there = await self._payments_of([row.imp_uid for row in some if row.imp_uid])
            suspicious |= {
                row.merchant_uid: row.customer_uid
                for row in some
                if (payment := there.get(row.imp_uid or "")) is None
                or payment_is_suspicious(here[row.merchant_uid], payment)
            }
            activity.heartbeat(len(suspicious))
        cursor = _cursor(rows, order.page_size, [row.settled_at for row in rows])
        return await self._examine_orders(order, suspicious, {"charges": len(rows)}, cursor=cursor)

    @activity.defn
    async def compare_one_time_charges(self, order: CompareSlice) -> SliceCompared:
        """One page of one-time charges that were sent and have no outcome; those that are long due are looked at."""
        rows = await self._ledger.reconciliation.unsettled_one_time(
            order.stretch.window, _read_cursor(order.cursor), order.page_size
        )
        clock = await self._clocks.read(order.at)
        overdue = timedelta(minutes=order.overdue_minutes)
        late = {
            row.merchant_uid: row.customer_uid for row in rows if clock.now(row.customer_uid) - row.due_at > overdue
        }
        cursor = _cursor(rows, order.page_size, [row.due_at for row in rows])
        return await self._examine_orders(order, late, {"charges": len(rows)}, cursor=cursor)

    @activity.defn
    async def compare_subscriptions(self, order: CompareSlice) -> SliceCompared:
        """One page of living subscriptions: their keys, their runs, their next charges."""
        living = await self._ledger.reconciliation.living(order.cursor, order.page_size)
        examination = await self._examination(order)
        clock = await self._clocks.read(order.at)
        for some in _batches(living):
            running = await self._runs.running_among([each.record.workflow_id for each in some])
            stopped = [each for each in some if each.record.workflow_id not in running]
            await self._examine(stopped, lambda each: examination.run(each.record.subscription_id))
            keyless = await self._without_key(some)
            await self._examine(keyless, lambda each: examination.key(each.record.subscription_id, each.key or ""))
            unseen = await self._ledger.reconciliation.unseen(order.run_id, _due_in(order.stretch.window, some))
            late = [
                each
                for each in some
                if each.record.merchant_uid in unseen
                or _is_overdue(each, clock.now(each.key, each.record.customer_uid), order.overdue_minutes)
            ]
            await self._examine(late, lambda each: examination.order(each.record.merchant_uid or "", each.key))
        cursor = living[-1].record.subscription_id if len(living) == order.page_size else ""
        return _compared(examination, {"subscriptions": len(living)}, cursor)

    @activity.defn
    async def compare_open_differences(self, order: CompareSlice) -> SliceCompared:
        """One page of open differences that this run has not met: each is looked at for itself, whatever its window."""
        rows = await self._ledger.differences.open_besides(
            order.run_id, after=int(order.cursor or 0), limit=order.page_size
        )
        examination = await self._examination(order)
        # Several differences of one order are one look.
        subjects = list(dict.fromkeys(row.subject for row in rows))
        await self._examine(subjects, examination.subject)
        cursor = str(rows[-1].difference_id) if len(rows) == order.page_size else ""
        return _compared(examination, {"open_before": len(rows)}, cursor)

    @activity.defn
    async def end_reconciliation(self, order: EndReconciliation) -> ReconciliationEnded:
        """Note how the run ended."""
        error = order.error if order.state is RunState.FAILED else None
        found, standing = await self._ledger.differences.end_run(
            order.run_id, order.state, order.counts, order.at, error
        )
        return ReconciliationEnded(differences=found, open=standing)

    # -------------------------------------------------------------- looking

    async def _examination(self, order: CompareSlice) -> Examination:
        return Examination(self._client, self._ledger, self._runs, order, await self._clocks.read(order.at))

    async def _examine_orders(
        self,
        order: CompareSlice,
        orders: Mapping[str, str | None],
        counts: Mapping[str, int],
        *,
        cursor: str,
        total: int | None = None,
    ) -> SliceCompared:
        examination = await self._examination(order)
        await self._examine(list(orders.items()), lambda each: examination.order(*each))
        return _compared(examination, counts, cursor, total)

    async def _examine(self, items: Sequence[Item], look: Callable[[Item], Awaitable[None]]) -> None:
        """Look at each, a few side by side; a heartbeat follows every look."""
        free = asyncio.Semaphore(LOOKS_AT_ONCE)

        async def one(item: Item) -> None:
            async with free:
                try:
                    await look(item)
                except PortOneError as error:
                    raise of_portone(error) from None
                activity.heartbeat(len(items))

        try:
            async with asyncio.TaskGroup() as group:
                for item in items:
                    group.create_task(one(item))
        except ExceptionGroup as errors:
            # Temporal retries by the type of one error; the others failed beside it, or were cancelled.
            raise errors.exceptions[0] from None

    async def _payments_of(self, imp_uids: Sequence[str]) -> dict[str, PaymentFact]:
        try:
            found = await self._client.list_payments(imp_uids=imp_uids) if imp_uids else []
        except PortOneError as error:
            raise of_portone(error) from None
        return {row.imp_uid: row for row in payment_facts(found)}

    async def _without_key(self, some: Sequence[LivingSubscription]) -> list[LivingSubscription]:
        expected = [each for each in some if each.key is not None]
        try:
            found = await self._client.list_billing_keys([each.key for each in expected if each.key])
        except PortOneError as error:
            raise of_portone(error) from None
        there = {key.customer_uid for key in found}
        return [each for each in expected if each.key not in there]


async def _page(number: int, read: Callable[[], Awaitable[Page[RowT]]]) -> Page[RowT]:
    """A page of PortOne's; an empty one when rows have left and this page with them."""
    try:
        return await read()
    except PortOneRefusedError as error:
        if number > 1 and error.http_status == HTTPStatus.BAD_REQUEST:
            return Page[RowT](items=())
        raise of_portone(error) from None
    except PortOneError as error:
        raise of_portone(error) from None


def _next(page: Page[RowT]) -> str:
    return str(page.next) if page.next > 0 else ""


def _compared(
    examination: Examination, counts: Mapping[str, int], cursor: str, total: int | None = None
) -> SliceCompared:
    return SliceCompared(
        cursor=cursor, total=total, counts={**counts, **examination.examined.counts()}, bells=examination.bells
    )


def _batches(rows: Sequence[Item]) -> Iterable[Sequence[Item]]:
    return (rows[first : first + AT_ONCE] for first in range(0, len(rows), AT_ONCE))


def _read_cursor(cursor: str) -> Cursor | None:
    return Cursor.decode(cursor) if cursor else None


def _cursor(rows: Sequence[ChargeRow], page_size: int, instants: Sequence[datetime | None]) -> str:
    """Where the next page of charges begins, "" after the last."""
    last = instants[-1] if rows and len(rows) == page_size else None
    return Cursor(last, rows[-1].merchant_uid).encode() if last is not None else ""


def _due_in(window: Window, living: Sequence[LivingSubscription]) -> list[str]:
    """The order numbers whose schedule should have been met in this window, as far as they have one."""
    return [
        each.record.merchant_uid
        for each in living
        if each.record.merchant_uid is not None
        and each.record.next_charge_at is not None
        and each.record.next_charge_at in window
        and each.record.status not in _NOTHING_STANDS
        and each.record.cycle_state is not CycleState.GATED
    ]


def _is_overdue(each: LivingSubscription, now: datetime, minutes: int) -> bool:
    record = each.record
    if record.next_charge_at is None or record.parked_reason is not None or record.status is SubscriptionStatus.UNPAID:
        return False
    return now - record.next_charge_at > timedelta(minutes=minutes)


def _down_to_the_minute(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(second=0, microsecond=0)


def _up_to_the_minute(instant: datetime) -> datetime:
    down = _down_to_the_minute(instant)
    return down if down == instant else down + _MINUTE
