"""Books in which everything holds, drawn or by hand, for the tests that then break one thing."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from billing.domain.audit.books import (
    Artefact,
    Books,
    Charge,
    Database,
    ExpectedPeriod,
    Journal,
    Key,
    LedgerBooks,
    Operation,
    ProviderBooks,
    Refund,
    Run,
    Webhook,
)
from billing.domain.calendar import Interval, IntervalUnit
from billing.domain.clock import Clock
from billing.domain.dunning import DunningPolicy
from billing.domain.facts import CancellationFact, PaymentFact, ScheduleFact
from billing.domain.merchant_uid import cycle_merchant_uid
from billing.domain.money import Money
from billing.domain.parked import Decision, DecisionRecord, ParkedKind, ParkedRecord
from billing.domain.plans import PlanTerms
from billing.domain.records import (
    ChargeKind,
    ChargeResult,
    Customer,
    Disposition,
    RefundState,
    SubscriptionLife,
    SubscriptionRecord,
)
from billing.domain.refund_mark import marked
from billing.domain.states import CycleState, SubscriptionStatus

BEGIN = datetime(2027, 1, 31, tzinfo=UTC)
MONTH = timedelta(days=30)
PRICE = Money(9900)
PLAN = PlanTerms("월간", PRICE, Interval(IntervalUnit.MONTH))
POLICY = DunningPolicy()
CARD = "4518421234567890"


@dataclass(frozen=True)
class Story:
    """One subscription as it is told: periods paid, declines before each, a refund, and how it stands."""

    number: int
    periods: tuple[int, ...] = (0, 0, 0)
    refund: int = 0
    ended: bool = False
    parked: bool = False

    @property
    def life(self):
        return f"s{self.number:019d}"

    @property
    def uid(self):
        return f"kim_{self.number}"

    @property
    def paid_until(self):
        return BEGIN + MONTH * len(self.periods)


def order(story, cycle, generation=0):
    return cycle_merchant_uid(story.life, cycle, generation)


def instant(cycle, declines=0):
    return BEGIN + MONTH * (cycle - 1) + timedelta(minutes=1 + declines)


def payment(story, cycle, attempt=0, status="paid", **changes):
    at = instant(cycle, attempt)
    row = PaymentFact(
        imp_uid=f"imp_{story.number}_{cycle}_{attempt}",
        merchant_uid=order(story, cycle),
        status=status,
        amount=PRICE,
        customer_uid=story.uid,
        paid_at=at if status in ("paid", "cancelled") else None,
        failed_at=at if status == "failed" else None,
        sandbox=False,
    )
    return replace(row, **changes)


def _payments(story):
    for cycle, declines in enumerate(story.periods, 1):
        for attempt in range(declines):
            yield payment(story, cycle, attempt, "failed")
        paid = payment(story, cycle, declines)
        if cycle == 1 and story.refund:
            back = CancellationFact("c1", story.refund, marked("ask", f"rf{story.number}"), paid.paid_at)
            paid = replace(paid, status="cancelled", cancelled_amount=story.refund, cancellations=(back,))
        yield paid


def charge(story, cycle, **changes):
    declines = story.periods[cycle - 1] if cycle <= len(story.periods) else 0
    is_paid = cycle <= len(story.periods)
    at = instant(cycle, declines)
    row = Charge(
        merchant_uid=order(story, cycle),
        workflow_id=f"subscription/{story.uid}",
        kind=ChargeKind.CYCLE,
        amount=PRICE,
        due_at=BEGIN + MONTH * (cycle - 1),
        state=CycleState.PAID if is_paid else CycleState.PLANNED,
        subscription_id=story.life,
        customer_uid=story.uid,
        cycle=cycle,
        imp_uid=f"imp_{story.number}_{cycle}_{declines}" if is_paid else None,
        paid_at=at if is_paid else None,
        settled_at=at if is_paid else None,
    )
    return replace(row, **changes)


def record(story):
    opened = len(story.periods) + 1
    return SubscriptionRecord(
        subscription_id=story.life,
        customer_uid=story.uid,
        workflow_id=f"subscription/{story.uid}",
        status=SubscriptionStatus.CANCELED if story.ended else SubscriptionStatus.ACTIVE,
        plan=PLAN,
        customer=Customer(),
        started_at=BEGIN,
        revision=9,
        cycle=opened,
        cycle_state=CycleState.MISMATCH if story.parked else CycleState.REGISTERED,
        next_charge_at=None if story.ended else story.paid_until,
        current_period_end=story.paid_until,
        merchant_uid=None if story.ended else order(story, opened),
        ended_at=instant(len(story.periods)) + timedelta(hours=1) if story.ended else None,
        life=SubscriptionLife(dunning_policy=POLICY),
    )


def parked(story):
    return ParkedRecord(
        parked_id=f"{story.life}-1",
        kind=ParkedKind.CHARGE_MISMATCH,
        workflow_id=f"subscription/{story.uid}",
        customer_uid=story.uid,
        subscription_id=story.life,
        reason="differs",
        merchant_uid=order(story, len(story.periods) + 1),
        parked_at=BEGIN,
        revision=1,
    )


def _ledger(stories):
    payments = tuple(row for story in stories for row in _payments(story))
    charges = tuple(charge(s, c) for s in stories for c in range(1, len(s.periods) + (1 if s.ended else 2)))
    return LedgerBooks(
        subscriptions=tuple(record(story) for story in stories),
        charges=charges,
        results=tuple(
            ChargeResult(each.merchant_uid, each.state, each.settled_at, each.imp_uid)
            for each in charges
            if each.settled_at is not None
        ),
        payments=payments,
        refunds=tuple(
            Refund(
                refund_id=f"rf{s.number}",
                merchant_uid=order(s, 1),
                imp_uid=payment(s, 1, s.periods[0]).imp_uid,
                amount=s.refund,
                state=RefundState.REFUNDED,
            )
            for s in stories
            if s.refund
        ),
        webhooks=tuple(
            Webhook(
                imp_uid=row.imp_uid,
                merchant_uid=row.merchant_uid,
                status="paid",
                cancellation_id="",
                count=2,
                disposition=Disposition.APPLIED,
                last_at=BEGIN,
            )
            for row in payments
            if row.status == "paid"
        ),
        keys=tuple(Key(s.uid, s.ended, record(s).ended_at) for s in stories),
        parked=tuple(parked(story) for story in stories if story.parked),
        decisions=(
            DecisionRecord(
                decision_id="d1",
                parked_id="p1",
                kind=ParkedKind.CHARGE_UNKNOWN,
                workflow_id="fact/x",
                customer_uid="lee",
                subscription_id=None,
                merchant_uid="another",
                parked_reason="unknown",
                decision=Decision.RETRY,
                by="park",
                reason="asked",
                at=BEGIN,
            ),
        ),
        database=Database(whole=True),
    )


def _journal(stories, ledger):
    starts = tuple(
        Operation(
            name="start",
            at=BEGIN,
            status=201,
            customer_uid=s.uid,
            subscription_id=s.life,
            merchant_uid=order(s, 1),
            idempotency_key=f"key-{s.number}",
            body=s.life,
        )
        for s in stories
    )
    cancels = tuple(
        Operation(
            name="cancel",
            at=record(s).ended_at,
            status=200,
            customer_uid=s.uid,
            subscription_id=s.life,
            stopped=True,
        )
        for s in stories
        if s.ended
    )
    refused = Operation(name="start", at=BEGIN, status=422, bad_input=True)
    return Journal(
        operations=(*starts, *starts, *cancels, refused),
        deliveries={hook.identity: hook.count for hook in ledger.webhooks},
        requests=(
            ("POST", "/users/getToken"),
            ("GET", "/subscribe/customers/kim_1"),
            ("GET", "/payments/findAll/s1/paid"),
            ("POST", "/subscribe/payments/schedule"),
        ),
        forged=frozenset({"imp_forged"}),
        tokens=3,
        refused_tokens=1,
        ran_for=timedelta(minutes=40),
        quiet_since=BEGIN,
        secrets={"card number": CARD, "expiry": "2099-12"},
        artefacts=(Artefact("ledger.db", b"****-****-****-7890 and 2099-12-01"), Artefact("log", b"nothing")),
    )


def world(*stories, now=None):
    """Books of these stories, in which everything holds."""
    now = now or max(story.paid_until for story in stories) - timedelta(days=1)
    ledger = _ledger(stories)
    return Books(
        clock=Clock(BEGIN, {story.uid: min(now, story.paid_until) - BEGIN for story in stories}),
        ledger=ledger,
        provider=ProviderBooks(
            payments=(
                *ledger.payments,
                PaymentFact("imp_shop", "shop-1", "paid", Money(500), customer_uid="shop", paid_at=BEGIN),
            ),
            schedules=tuple(
                ScheduleFact(order(s, len(s.periods) + 1), s.uid, "scheduled", s.paid_until, PRICE)
                for s in stories
                if not s.ended
            ),
        ),
        runs=(
            *(
                Run(
                    workflow_id=f"subscription/{s.uid}",
                    running=True,
                    started_at=BEGIN,
                    subscription_id=s.life,
                    events=100,
                    history_bytes=10_000,
                    replays=True,
                )
                for s in stories
                if not s.ended
            ),
            Run(workflow_id="fact/imp_1", running=True, started_at=BEGIN),
        ),
        journal=_journal(stories, ledger),
        expected=tuple(
            ExpectedPeriod(
                subscription_id=s.life, cycle=c, due_at=BEGIN + MONTH * (c - 1), amount=None if ends else PRICE
            )
            for s in stories
            for c in range(1, len(s.periods) + 2)
            for ends in (c > len(s.periods),)
            if s.ended or not ends
        ),
        sandbox=False,
        max_amount=100_000_000,
    )


GOOD = (Story(1, (0, 2, 0)), Story(2, (1, 0), refund=4000), Story(3, (0, 0), ended=True), Story(4, (0,), parked=True))
"""One that was declined and paid, one with a refund, one that has ended, one that waits for a person."""


@st.composite
def worlds(draw):
    """Any number of stories, in which everything holds."""
    stories = [
        Story(
            number,
            tuple(draw(st.lists(st.integers(0, 4), min_size=1, max_size=5))),
            refund=draw(st.sampled_from((0, 1, 4000, PRICE.amount - 1))),
            ended=draw(st.booleans()),
            parked=draw(st.booleans()),
        )
        for number in range(1, 1 + draw(st.integers(1, 4)))
    ]
    stories = [replace(story, parked=story.parked and not story.ended) for story in stories]
    return world(*stories)


def with_ledger(books, **changes):
    return replace(books, ledger=replace(books.ledger, **changes))


def with_provider(books, **changes):
    return replace(books, provider=replace(books.provider, **changes))


def with_journal(books, **changes):
    return replace(books, journal=replace(books.journal, **changes))


def swapped(rows, wanted, **changes):
    """The rows, with those that are wanted changed."""
    return tuple(replace(row, **changes) if wanted(row) else row for row in rows)
