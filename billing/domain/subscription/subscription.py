"""One subscription: what it was started with, and where it stands."""

from datetime import datetime, timedelta

from billing.domain.books import Books
from billing.domain.calendar import Anchor
from billing.domain.facts import PaymentFact
from billing.domain.records import ChargeIntent, ChargeKind, ChargeResult, PendingChange
from billing.domain.states import CycleState
from billing.domain.subscription.items import Items
from billing.domain.subscription.period import Period
from billing.domain.subscription.periods import Periods
from billing.domain.subscription.start import StartSubscription, subscription_workflow_id
from billing.domain.subscription.state import SubscriptionState
from billing.domain.subscription.terms import Terms


class Subscription:
    """One subscription: what it was started with, where it stands, and the terms that follow from both."""

    def __init__(self, start: StartSubscription, state: SubscriptionState) -> None:
        self.start = start
        self.state = state

    @property
    def terms(self) -> Terms:
        """The terms at this moment."""
        return Terms(self.start, self.state)

    @property
    def workflow_id(self) -> str:
        """The workflow id of its run."""
        return subscription_workflow_id(self.start.customer_uid)

    def copy(self) -> "Subscription":
        """Another one that stands where this one does, to reckon what would be."""
        return Subscription(self.start, self.state.model_copy(deep=True))

    def become(self, items: PendingChange, *, coupon_used: bool) -> None:
        """Subscribe to something else from now on; a new coupon begins to be counted."""
        used = self.terms.coupon_cycles_used(items)
        self.state.items.become(items, used + (1 if coupon_used else 0))

    def keep(self, books: Books) -> None:
        """Carry on the money of the books; where the period lies is the caller's to say."""
        self.state.paid.keep(books, self.terms.plan.price.currency)

    def intent(self) -> ChargeIntent:
        """The open period as the ledger knows it before anything can charge it; noted as what its number means."""
        terms, period = self.terms, self.state.period
        order = terms.would_open()
        period.open(order)
        return ChargeIntent(
            merchant_uid=order.merchant_uid,
            workflow_id=self.workflow_id,
            kind=ChargeKind.CYCLE,
            amount=order.amount,
            name=order.name,
            due_at=period.due_at,
            subscription_id=self.start.subscription_id,
            customer_uid=order.customer_uid,
            cycle=period.cycle,
            generation=period.generation,
            tax_free=order.tax_free,
            vat_amount=order.vat_amount,
        )

    def result(
        self, state: CycleState, payment: PaymentFact | None, now: datetime, reason: str | None = None
    ) -> ChargeResult:
        """What was found out about the open period, for the ledger; with its day where we charged it on another."""
        number = self.terms.merchant_uid
        due_at = self.state.period.take_charged_day(number)
        imp_uid = payment.imp_uid if payment else None
        return ChargeResult(number, state, now, imp_uid, message=reason, due_at=due_at)


def begin(start: StartSubscription, began_at: datetime) -> SubscriptionState:
    """Where a subscription stands when it has just been started."""
    now = began_at.replace(microsecond=0)
    due_at = start.paid_until or start.trial_ends_at or now + timedelta(days=start.plan.trial_days)
    trial = start.paid_until is None and (start.trial_ends_at is not None or start.plan.trial_days > 0)
    return SubscriptionState(
        started_at=now,
        began_at=began_at,
        period=Period(due_at=due_at),
        periods=Periods(anchor=Anchor.at(due_at, start.plan.zone), trial_ends_at=due_at if trial else None),
        items=Items(quantity=start.quantity, coupon=start.coupon),
    )
