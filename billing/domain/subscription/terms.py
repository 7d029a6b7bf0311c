"""The terms of a subscription: what is subscribed to, what is charged, what is expected of a payment, and when.

Pure: made from what it was started with and where it stands, so that charge, preview and events cannot disagree.
"""

from dataclasses import dataclass
from datetime import datetime

from billing.domain.bills import Bill, Holding, partial_bill, period_bill
from billing.domain.books import Books
from billing.domain.calendar import cycle_due, local_time
from billing.domain.pg_capabilities import capability, least_charge, provider_of
from billing.domain.pg_capability import PgCapability
from billing.domain.plans import PlanTerms
from billing.domain.records import PendingChange
from billing.domain.shares import day_of
from billing.domain.subscription.choices import RefundAtCancel
from billing.domain.subscription.orders import OpenOrder
from billing.domain.subscription.schedule import ChargedBy
from billing.domain.subscription.start import PortOneChannel, StartSubscription
from billing.domain.subscription.state import SubscriptionState
from billing.domain.verdict import Expected


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one subscription at one moment."""

    start: StartSubscription
    state: SubscriptionState

    # ------------------------------------------------------------ who, and with what

    @property
    def subscription_id(self) -> str:
        """The incarnation that its order numbers are built from."""
        return self.start.subscription_id

    @property
    def merchant_uid(self) -> str:
        """The order number of the open period."""
        return self.state.merchant_uid(self.start.subscription_id)

    @property
    def customer_uid(self) -> str:
        """The billing key that is charged; the workflow keeps the id of the one it was started under."""
        return self.state.method.customer_uid or self.start.customer_uid

    @property
    def channel(self) -> PortOneChannel:
        """The channel that the billing key belongs to."""
        return self.state.method.channel or self.start.channel

    @property
    def plan(self) -> PlanTerms:
        """The plan in force."""
        return self.state.items.plan or self.start.plan

    @property
    def consent_id(self) -> str:
        """Names the question that was asked last; a changed one is another question."""
        return f"{self.start.subscription_id}-{self.state.period.cycle}-{self.state.consent.asks}"

    # ------------------------------------------------------------ whether a further charge is planned

    @property
    def charging(self) -> bool:
        """Whether a further charge is planned; not so once a cancel or pause is set or the term is paid in full.

        The term is that of what the next period is charged for: a pending change may go on beyond the one in force.
        """
        state = self.state
        stopping = state.cancel.at_period_end or state.pause.at_period_end or state.pause.since is not None
        return state.ended_at is None and not stopping and not self.term_is_paid

    @property
    def term_is_paid(self) -> bool:
        """Whether every period of a fixed term is paid for and given."""
        return not self.state.paid.another_begins(self.holding().terms.max_cycles)

    def next_charge_at(self) -> datetime | None:
        """When the card is charged next, or None when it will not be."""
        state = self.state
        ended = state.ended_at is not None
        return None if ended or not self.charging or state.waits_for_a_card else state.period.due_at

    def grace_ends_at(self) -> datetime | None:
        """Until when an unpaid period still gives access; None while nothing has failed."""
        failed_at, policy = self.state.arrears.first_failed_at, self.start.policy.dunning
        return policy.suspended_at(failed_at) if policy is not None and failed_at is not None else None

    # ------------------------------------------------------------ what is subscribed to

    def held(self) -> PendingChange:
        """What is subscribed to now, whole."""
        return PendingChange(self.plan, self.state.items.quantity, self.state.items.coupon)

    def holding(self) -> Holding:
        """What the open period is charged for: what it changes to, where a change comes with it."""
        return self.holding_of(self.state.coming_change or self.held())

    def holding_of(self, items: PendingChange) -> Holding:
        """What would be charged for, with its coupon only while that applies."""
        coupon, used = items.coupon, self.coupon_cycles_used(items)
        return Holding(items.plan, items.quantity, coupon if coupon is not None and coupon.applies(used) else None)

    def coupon_cycles_used(self, items: PendingChange) -> int:
        """How many cycles of its coupon are used up; a new one begins to be counted."""
        same = items.coupon == self.state.items.coupon and not items.coupon_anew
        return self.state.items.coupon_cycles_used if same else 0

    def has_another_calendar(self, plan: PlanTerms) -> bool:
        """Whether the periods of that plan lie elsewhere than those of the one in force."""
        return (plan.interval, plan.zone) != (self.plan.interval, self.plan.zone)

    # ------------------------------------------------------------ where the periods lie

    def due(self, cycle: int) -> datetime:
        """The instant at which `cycle` is due, from the anchor."""
        periods = self.state.periods
        return cycle_due(periods.anchor, self.plan.interval, cycle - periods.first_cycle + 1)

    def days(self) -> int:
        """The days of the whole open period."""
        cycle = self.state.period.cycle
        begins, ends = self.due(cycle), self.due(cycle + 1)
        return day_of(begins, ends, ends, self.plan.zone)[1]

    def whole_period(self) -> tuple[datetime, datetime]:
        """The whole period that runs, of which each day costs its share, also where it was entered in the middle."""
        periods = self.state.periods
        start = periods.counts_from or periods.start
        assert start is not None  # noqa: S101 - an active subscription has a period
        assert periods.end is not None  # noqa: S101
        return start, periods.end

    @property
    def is_a_part(self) -> bool:
        """Whether the open period is the rest of one, entered in its midst; one of another calendar begins whole."""
        change = self.state.coming_change
        return bool(self.state.periods.paid_days) and not (
            change is not None and self.has_another_calendar(change.plan)
        )

    def local(self, instant: datetime) -> str:
        """An instant as the plan's zone reads it, to the minute."""
        return local_time(instant, self.plan.zone).strftime("%Y-%m-%d %H:%M %Z")

    # ------------------------------------------------------------ what is charged, and expected

    def bill(self) -> Bill:
        """What the open period is charged: the same function makes the preview, so they cannot disagree."""
        return self.bill_of(self.holding(), self.state.paid.balance)

    def bill_of(self, holding: Holding, balance: int) -> Bill:
        """What the open period would be charged for that."""
        if not self.is_a_part:
            return period_bill(holding, balance, self.least_charge())
        return partial_bill(holding, self.state.periods.paid_days, self.days(), balance, self.least_charge())

    def would_open(self) -> OpenOrder:
        """What the current order number would mean now."""
        bill = self.bill()
        return OpenOrder(
            merchant_uid=self.merchant_uid,
            amount=bill.amount,
            tax_free=bill.tax_free,
            vat_amount=bill.vat_amount,
            customer_uid=self.customer_uid,
            name=self.holding().terms.name,
        )

    def ordered(self) -> OpenOrder:
        """What the current order number stands for, as it was recorded with its intent."""
        recorded = self.state.period.order
        return recorded if recorded is not None and recorded.merchant_uid == self.merchant_uid else self.would_open()

    def expected(self) -> Expected:
        """What PortOne's rows of the current order are judged against: what was recorded with its intent."""
        order = self.ordered()
        return Expected(order.merchant_uid, order.amount, order.customer_uid)

    def books(self) -> Books:
        """The books of the running period."""
        paid, periods = self.state.paid, self.state.periods
        return Books(
            balance=paid.balance,
            given_back=paid.given_back,
            orders=tuple(each.paid_with() for each in paid.orders),
            paid_by=paid.by,
            start=periods.counts_from or periods.start,
            end=periods.end,
            paused_at=self.state.pause.since,
        )

    def gives_back(self, how: RefundAtCancel, at: datetime) -> int:
        """What a cancel at `at` gives back, in minor units, so that a preview tells what is given."""
        books = self.books()
        match how:
            case RefundAtCancel.NONE:
                return 0
            case RefundAtCancel.PRORATED:
                return min(books.owed(at), books.held)
            case RefundAtCancel.FULL:
                return books.held

    def nothing_is_left_to_use(self, at: datetime) -> bool:
        """Whether there is no end to wait for: the period is not paid, or is paused."""
        ends_at = self.state.periods.end
        return self.state.pause.since is not None or ends_at is None or ends_at <= at

    # ------------------------------------------------------------ what the PG behind the key can do

    def pg(self) -> PgCapability | None:
        """What is known of the PG that holds the billing key; None where that is not known."""
        provider = self._provider()
        return capability(provider) if provider else None

    def can_reschedule(self) -> bool:
        """Whether the PG behind the key supports `reschedule`; an unknown PG is taken to (docs/portone)."""
        known = self.pg()
        return known is None or known.reschedule

    def next_charged_by(self) -> ChargedBy:
        """Who runs the next attempt of a schedule that has run or was revoked."""
        return ChargedBy.RESCHEDULE if self.can_reschedule() else ChargedBy.AGAIN

    def number_is_reusable(self) -> bool:
        """Whether a declined order number may be tried again at this PG; Naver Pay's may not (docs/portone)."""
        known = self.pg()
        return known is None or known.merchant_uid_reusable

    def least_charge(self) -> int:
        """The least that the PG behind the key takes at once, in minor units; 0 where that is not known."""
        return least_charge(self._provider(), self.plan.price.currency)

    def _provider(self) -> str | None:
        return self.state.method.pg_provider or provider_of(self.channel.pg)
