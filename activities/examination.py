"""The fresh look at one order, key or run: both sides asked anew, judged, and what differs written to the ledger.

A list is read before the ledger, or after it; what happened in between looks like a difference and is none. So nothing
counts that two looks in a row do not find, each of which asks the workflow first, then PortOne, then the ledger.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from activities.workflow_runs import WorkflowRuns
from billing.domain.both_sides import Leeway, OrderHere, OrderThere, RunSays
from billing.domain.clock import Clock
from billing.domain.differences import ABOUT_A_PAYMENT, NEEDS_THE_RUN, Difference, Found, Subject
from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.reconciliation import compare_key, compare_order, compare_run
from billing.ledger import Ledger
from billing.observability import DIFFERENCES
from billing.portone import Payment, PortOneClient, Schedule
from workflows.reconciliation.contracts import Bell, CompareSlice

Look = Callable[[], Awaitable[list[Found]]]


@dataclass(slots=True)
class Examined:
    """What looks came to: how many were made, how much opened and was resolved."""

    looks: int = 0
    opened: int = 0
    resolved: int = 0

    def counts(self) -> dict[str, int]:
        """As a run adds them up."""
        return {"examined": self.looks, "opened": self.opened, "resolved": self.resolved}


class Examination:
    """Looks for one slice of a run; `bells` are those of the differences that stand open."""

    def __init__(
        self, client: PortOneClient, ledger: Ledger, runs: WorkflowRuns, order: CompareSlice, clock: Clock
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._runs = runs
        self._order = order
        self._clock = clock
        self.examined = Examined()
        self.bells: list[Bell] = []

    @property
    def leeway(self) -> Leeway:
        """How far apart counts in this run."""
        return Leeway(
            settle=timedelta(minutes=self._order.settle_minutes), overdue=timedelta(minutes=self._order.overdue_minutes)
        )

    async def subject(self, subject: Subject) -> None:
        """Look at whatever a difference is about."""
        if subject.merchant_uid:
            await self.order(subject.merchant_uid, subject.customer_uid or None)
        elif subject.kind is Difference.KEY_DELETED_ELSEWHERE:
            await self.key(subject.subscription_id, subject.customer_uid)
        elif subject.kind is Difference.WORKFLOW_MISSING:
            await self.run(subject.subscription_id)

    async def order(self, merchant_uid: str, customer_uid: str | None) -> None:
        """Look at an order number; `customer_uid` is the key that PortOne says it charges."""
        # What was found to stand open is not settled by growing younger under a longer leeway.
        settle = timedelta(0) if await self._ledger.differences.has_open(merchant_uid) else self.leeway.settle
        leeway = replace(self.leeway, settle=settle)
        cancellations: dict[str, str] = {}
        unasked = False

        async def look() -> list[Found]:
            nonlocal unasked
            run = await self._what_the_run_says(merchant_uid, customer_uid)
            there = await self._what_portone_has(merchant_uid, cancellations)
            here = await self._what_the_ledger_has(merchant_uid, customer_uid)
            there = await self._with_the_booked_one(here, there, cancellations)
            unasked = run is None
            now = self._clock.now(here.customer_uid, here.subscription.customer_uid if here.subscription else None)
            return compare_order(replace(here, run=run), there, now, leeway)

        found = await self._twice(look)
        judged = [kind for kind in Difference if not (unasked and kind in NEEDS_THE_RUN)]
        await self._note(Subject(merchant_uid, customer_uid=customer_uid or ""), found, judged, cancellations)

    async def key(self, subscription_id: str, customer_uid: str) -> None:
        """Look at the billing key of a subscription."""

        async def look() -> list[Found]:
            living = await self._ledger.reconciliation.subscription(subscription_id)
            key = await self._client.find_billing_key(customer_uid)
            if living is None or living.key != customer_uid:
                return []
            found = compare_key(living.record, customer_uid, at_portone=key is not None)
            return [found] if found else []

        subject = Subject(
            kind=Difference.KEY_DELETED_ELSEWHERE, customer_uid=customer_uid, subscription_id=subscription_id
        )
        await self._note(subject, await self._twice(look))

    async def run(self, subscription_id: str) -> None:
        """Look at the workflow of a subscription."""

        async def look() -> list[Found]:
            living = await self._ledger.reconciliation.subscription(subscription_id)
            if living is None:
                return []
            says = await self._runs.says(living.record.workflow_id, subscription_id)
            found = compare_run(living.record, running=says is None or says.running)
            return [found] if found else []

        subject = Subject(kind=Difference.WORKFLOW_MISSING, subscription_id=subscription_id)
        await self._note(subject, await self._twice(look))

    # -------------------------------------------------------------- looking

    async def _twice(self, look: Look) -> list[Found]:
        self.examined.looks += 1
        first = {found.identity for found in await look()}
        return [found for found in await look() if found.identity in first] if first else []

    async def _what_the_run_says(self, merchant_uid: str, customer_uid: str | None) -> RunSays | None:
        here = await self._what_the_ledger_has(merchant_uid, customer_uid)
        if here.subscription is None or not here.is_living:
            return RunSays(running=False)
        return await self._runs.says(here.subscription.workflow_id, here.subscription.subscription_id)

    async def _what_the_ledger_has(self, merchant_uid: str, customer_uid: str | None) -> OrderHere:
        return (await self._ledger.reconciliation.orders({merchant_uid: customer_uid}))[merchant_uid]

    async def _what_portone_has(self, merchant_uid: str, cancellations: dict[str, str]) -> OrderThere:
        rows = await self._client.find_all_payments(merchant_uid)
        schedule = await self._client.find_schedule(merchant_uid)
        cancellations.update(_cancellations(rows))
        facts = schedule_facts([schedule] if schedule else [])
        return OrderThere(payment_facts(rows), facts[0] if facts else None)

    async def _with_the_booked_one(
        self, here: OrderHere, there: OrderThere, cancellations: dict[str, str]
    ) -> OrderThere:
        """The payment that the ledger booked is asked for by its own number, too: lists may hide test channels."""
        if here.imp_uid is None or any(row.imp_uid == here.imp_uid for row in there.payments):
            return there
        booked = await self._client.find_payment(here.imp_uid)
        if booked is None or booked.merchant_uid != here.merchant_uid:
            return there
        cancellations.update(_cancellations([booked]))
        return replace(there, payments=(*there.payments, *payment_facts([booked])))

    # -------------------------------------------------------------- writing

    async def _note(
        self,
        subject: Subject,
        found: Sequence[Found],
        judged: Sequence[Difference] = tuple(Difference),
        cancellations: Mapping[str, str] | None = None,
    ) -> None:
        noted = await self._ledger.differences.note(self._order.run_id, subject, found, self._order.at, judged=judged)
        for kind in noted.opened:
            DIFFERENCES.labels(kind.value).inc()
        self.examined.opened += len(noted.opened)
        self.examined.resolved += noted.resolved
        for difference_id, each in noted.unrung(self._order.begun_at).items():
            if each.workflow_id is not None and each.kind is not Difference.WORKFLOW_MISSING:
                self.bells.append(_bell(difference_id, each, cancellations or {}))


def payment_facts(rows: Sequence[Payment]) -> tuple[PaymentFact, ...]:
    """The rows that can be read; one that cannot (an unknown currency) is said in the log and passed over."""
    facts = []
    for row in rows:
        try:
            facts.append(row.fact())
        except ValueError as error:
            structlog.get_logger().warning("a payment that cannot be read", imp_uid=row.imp_uid, error=str(error))
    return tuple(facts)


def schedule_facts(rows: Sequence[Schedule]) -> tuple[ScheduleFact, ...]:
    """The rows that can be read; one that cannot is said in the log and passed over."""
    facts = []
    for row in rows:
        try:
            facts.append(row.fact())
        except ValueError as error:
            structlog.get_logger().warning("a schedule that cannot be read", order=row.merchant_uid, error=str(error))
    return tuple(facts)


def _cancellations(rows: Sequence[Payment]) -> dict[str, str]:
    """The newest refund of each payment, as its webhook would have named it."""
    return {row.imp_uid: row.cancel_history[-1].cancellation_id or "" for row in rows if row.cancel_history}


def _bell(difference_id: int, found: Found, cancellations: Mapping[str, str]) -> Bell:
    reported = found.imp_uid if found.kind in ABOUT_A_PAYMENT else ""
    return Bell(
        difference_id=difference_id,
        kind=found.kind,
        workflow_id=found.workflow_id or "",
        subscription_id=found.subscription_id,
        merchant_uid=found.merchant_uid,
        imp_uid=reported,
        customer_uid=found.customer_uid,
        status=found.status if reported else "",
        cancellation_id=cancellations.get(reported, "") if found.status == "cancelled" else "",
        ended=found.ended,
    )
