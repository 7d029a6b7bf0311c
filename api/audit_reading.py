"""The books of production, read for an audit: PortOne by its lists, the ledger, and Temporal's list of runs.

They cannot be read at one moment, and whatever happens in between looks like a violation and is none. So what the lists
show is only suspected: each order that a suspicion names is looked up at PortOne by itself, the ledger and the runs are
read once more, and only what holds against both readings is a violation.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.examination import payment_facts, schedule_facts
from billing.clocks import Clocks
from billing.domain.audit import Book, Judgement, Leeways, Violation, judge
from billing.domain.audit.books import Books, Database, ExpectedPeriod, Journal, LedgerBooks, ProviderBooks, Run
from billing.domain.audit.runs import SUBSCRIPTION
from billing.domain.both_sides import BOOKED
from billing.domain.clock import Clock
from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.windows import PAYMENTS_LONGEST, SCHEDULES_LONGEST, Window
from billing.ledger import Ledger
from billing.portone import PortOneClient, PortOneRefusedError
from billing.settings import Settings

PAGE = 1_000
"""Rows of one page of PortOne's: the most that it gives."""

LOOKS_AT_ONCE = 4
"""Look-ups side by side: far below the fifty calls a second that a PG asks for."""

MOST_SUSPECTED = 2_000
"""Orders that are looked up by themselves; more than that are one disaster, and are reported as they were suspected."""

Told = Callable[[str, int], None]
"""Is told what is being read, and how many rows of it there are so far."""

_SECOND = timedelta(seconds=1)
_RPC = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found: the window, what each invariant came to, and how much was read."""

    window: Window
    at: datetime
    judgements: tuple[Judgement, ...]
    counts: dict[str, int]

    @property
    def violations(self) -> list[tuple[str, Violation]]:
        """Every violation, with the name of its invariant."""
        return [(each.invariant.name, found) for each in self.judgements for found in each.violations]


class Auditor:
    """Reads the books of one installation, and judges them.

    `journal` and `expected` are brought by whoever knows what was asked for; production has none.
    """

    def __init__(
        self,
        settings: Settings,
        client: PortOneClient,
        ledger: Ledger,
        temporal: Client,
        *,
        told: Told,
        task_queue: str,
        journal: Journal | None = None,
        expected: tuple[ExpectedPeriod, ...] | None = None,
    ) -> None:
        self._journal, self._expected = journal, expected
        self._settings = settings
        self._client = client
        self._ledger = ledger
        self._temporal = temporal
        self._told = told
        self._running = f"ExecutionStatus = 'Running' AND TaskQueue = '{task_queue}'"

    async def audit(self, window: Window, leeways: Leeways, at: datetime) -> Audit:
        """Read everything, judge, look again at what is suspected, and judge once more.

        Of a ledger whose database is damaged nothing else is judged: what it says is no evidence.
        """
        database = await self._ledger.audit.integrity()
        if database is not None and not database.whole:
            return Audit(window, at, _of_the_database_alone(Clock(at), database), {})
        provider = await self._provider(window)
        first = await self._read(window, provider, at, database)
        suspected = judge(first, leeways)
        if any(each.violations for each in suspected):
            numbers = {name for each in suspected for found in each.violations for name in found.merchant_uids}
            provider = await self._looked_up(provider, sorted(numbers)[:MOST_SUSPECTED])
            again = await self._read(window, provider, at, database)
            suspected = _found_twice(suspected, judge(again, leeways))
            first = again
        return Audit(window, at, suspected, _counts(first))

    async def _read(self, window: Window, provider: ProviderBooks, at: datetime, database: Database | None) -> Books:
        clock = await Clocks(self._settings).read(at)
        orders = {row.merchant_uid for row in provider.payments} | {row.merchant_uid for row in provider.schedules}
        keys = {row.customer_uid for row in provider.payments if row.customer_uid}
        ledger = await self._ledger.audit.books(window, orders, keys, self._told, database)
        if clock.ahead:
            # When a key went is an instant of this machine, which says nothing beside one of a moved clock.
            ledger = replace(ledger, keys=tuple(replace(key, deleted_at=None) for key in ledger.keys))
        provider = await self._with_what_the_list_left_out(provider, ledger)
        return Books(
            clock=clock,
            ledger=ledger,
            provider=provider,
            runs=tuple(await self._runs(ledger)),
            journal=self._journal,
            expected=self._expected,
            max_amount=self._settings.max_amount,
        )

    # -------------------------------------------------------------- PortOne

    async def _provider(self, window: Window) -> ProviderBooks:
        payments: dict[str, PaymentFact] = {}
        for part in window.split(PAYMENTS_LONGEST):
            async for rows in self._payment_pages(part):
                payments |= {row.imp_uid: row for row in rows}
                self._told("PortOne's payments", len(payments))
        ahead = Window(window.start, window.end + timedelta(days=self._settings.schedule_horizon_days + 1))
        schedules: dict[str, ScheduleFact] = {}
        for part in ahead.split(SCHEDULES_LONGEST):
            number = 1
            while number > 0:
                page = await self._client.list_schedules(
                    start=part.start, end=part.end, page=number, limit=PAGE, oldest_first=True
                )
                schedules |= {row.merchant_uid: row for row in schedule_facts(page.items)}
                self._told("PortOne's schedules", len(schedules))
                number = page.next
        return ProviderBooks(payments=tuple(payments.values()), schedules=tuple(schedules.values()), window=window)

    async def _payment_pages(self, window: Window) -> AsyncIterator[tuple[PaymentFact, ...]]:
        number = 1
        while number > 0:
            try:
                page = await self._client.list_payments_by_status(
                    "all",
                    start=window.start,
                    # PortOne's end is inside, ours is not.
                    end=window.end - _SECOND,
                    page=number,
                    limit=PAGE,
                    oldest_first=True,
                )
            except PortOneRefusedError as error:
                if number > 1 and error.http_status == HTTPStatus.BAD_REQUEST:
                    return  # rows have left, and this page with them
                raise
            yield payment_facts(page.items)
            number = page.next

    async def _with_what_the_list_left_out(self, provider: ProviderBooks, ledger: LedgerBooks) -> ProviderBooks:
        """The payments that the ledger has booked, each by its own number: a list shows what changed in its window."""
        there = {row.imp_uid for row in provider.payments}
        wanted = {each.imp_uid for each in ledger.charges if each.state in BOOKED and each.imp_uid} - there
        found = payment_facts(await self._client.list_payments(imp_uids=sorted(wanted))) if wanted else ()
        self._told("payments by number", len(wanted))
        return replace(provider, payments=(*provider.payments, *found), window=None)

    async def _looked_up(self, provider: ProviderBooks, numbers: Sequence[str]) -> ProviderBooks:
        """The books with every payment and the schedule of these orders as PortOne has them now."""
        free, done = asyncio.Semaphore(LOOKS_AT_ONCE), 0
        payments: list[PaymentFact] = []
        schedules: list[ScheduleFact] = []

        async def look(number: str) -> None:
            nonlocal done
            async with free:
                payments.extend(payment_facts(await self._client.find_all_payments(number)))
                schedule = await self._client.find_schedule(number)
                schedules.extend(schedule_facts([schedule]) if schedule is not None else ())
                done += 1
                self._told("orders looked up", done)

        async with asyncio.TaskGroup() as group:
            for number in numbers:
                group.create_task(look(number))
        asked = set(numbers)
        return replace(
            provider,
            payments=(*(row for row in provider.payments if row.merchant_uid not in asked), *payments),
            schedules=(*(row for row in provider.schedules if row.merchant_uid not in asked), *schedules),
        )

    # -------------------------------------------------------------- Temporal

    async def _runs(self, ledger: LedgerBooks) -> list[Run]:
        runs = {}
        async for execution in self._temporal.list_workflows(self._running, page_size=PAGE, rpc_timeout=_RPC):
            runs[execution.id] = await _run(execution)
            self._told("workflows", len(runs))
        # The list lags a little behind: one that is missing in it is asked for by itself.
        for workflow_id in _expected(ledger) - runs.keys():
            described = await self._described(workflow_id)
            if described is not None:
                runs[workflow_id] = described
        return list(runs.values())

    async def _described(self, workflow_id: str) -> Run | None:
        try:
            return await _run(await self._temporal.get_workflow_handle(workflow_id).describe(rpc_timeout=_RPC))
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise


async def _run(execution: WorkflowExecution) -> Run:
    is_subscription = execution.id.startswith(SUBSCRIPTION)
    life = await execution.memo_value("resource", default=None, type_hint=str) if is_subscription else None
    return Run(
        workflow_id=execution.id,
        running=execution.status is WorkflowExecutionStatus.RUNNING,
        started_at=execution.start_time,
        subscription_id=life,
        events=execution.history_length,
        history_bytes=execution.raw_info.history_size_bytes,
    )


def _of_the_database_alone(clock: Clock, database: Database) -> tuple[Judgement, ...]:
    books = Books(clock=clock, ledger=LedgerBooks(database=database))
    return tuple(
        each if each.invariant.needs == {Book.DATABASE} else Judgement(each.invariant, missing=(Book.DATABASE,))
        for each in judge(books)
    )


def _expected(ledger: LedgerBooks) -> set[str]:
    return {each.workflow_id for each in ledger.subscriptions if each.ended_at is None}


def _found_twice(first: Iterable[Judgement], second: Iterable[Judgement]) -> tuple[Judgement, ...]:
    """The second reading's judgements, with those violations alone that the first one had suspected."""
    suspected = {each.invariant.name: {_subject(found) for found in each.violations} for each in first}
    return tuple(
        replace(
            each,
            violations=tuple(found for found in each.violations if _subject(found) in suspected[each.invariant.name]),
        )
        for each in second
    )


def _subject(found: Violation) -> tuple[object, ...]:
    """What a violation is about: the same in two readings, though the sentence may name another instant."""
    return (
        found.customer_uid,
        found.subscription_id,
        found.cycle,
        frozenset(found.merchant_uids),
        frozenset(found.imp_uids),
        found.workflow_id,
    )


def _counts(books: Books) -> dict[str, int]:
    provider = books.provider or ProviderBooks()
    read: dict[str, Collection[object]] = {
        "payments at PortOne": provider.payments,
        "schedules at PortOne": provider.schedules,
        "subscriptions": books.ledger.subscriptions,
        "charges": books.ledger.charges,
        "webhooks": books.ledger.webhooks,
        "workflows": books.runs or (),
    }
    return {name: len(rows) for name, rows in read.items()}
