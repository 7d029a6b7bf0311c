"""What the `data` of an outgoing event holds: a few shapes, each a flat record of JSON values; no personal data.

A shape may only gain fields with a default: an endpoint written today reads what is sent in years.
`customer_uid` is always the one that the subscription was started under; `amount` is in minor units of `currency`.
"""

from dataclasses import dataclass, fields
from datetime import datetime

from billing.domain.instants import require_utc
from billing.domain.plans import PlanTerms


@dataclass(frozen=True, slots=True)
class EventData:
    """What all shapes share: whose it is, and that every instant in it is UTC.

    Args:
        customer_uid: that the subscription was started under.
        subscription_id: the incarnation; None where there is no subscription.

    Raises:
        ValueError: an instant that is not aware UTC.
    """

    customer_uid: str
    subscription_id: str | None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, datetime):
                require_utc(field.name, value)


@dataclass(frozen=True, slots=True)
class PlanData:
    """The terms of one version of a plan.

    Args:
        name: what the customer sees on the order.
        amount: the price of one unit for one period, in minor units.
        currency: of `amount`.
        interval: `day`, `week`, `month` or `year`.
        interval_count: how many of them one period has.
        quantity: how many units are held.
        plan_id: of the catalogue; None for terms given with the subscription.
        version: of the plan, counted from 1.
    """

    name: str
    amount: int
    currency: str
    interval: str
    interval_count: int
    quantity: int = 1
    plan_id: str | None = None
    version: int = 1

    @classmethod
    def of(cls, terms: PlanTerms, quantity: int = 1) -> "PlanData":
        """The terms as an endpoint reads them."""
        return cls(
            name=terms.name,
            amount=terms.price.amount,
            currency=terms.price.currency,
            interval=terms.interval.unit.value,
            interval_count=terms.interval.count,
            quantity=quantity,
            plan_id=terms.plan_id,
            version=terms.version,
        )


@dataclass(frozen=True, slots=True)
class SubscriptionData(EventData):
    """A subscription as it stands after what happened.

    Args:
        status: one of the public statuses.
        plan: the terms now in force, with the quantity.
        amount: what the next charge takes, after quantity and coupon.
        currency: of `amount`.
        current_period_start: of the period last paid for, or of the trial.
        current_period_end: of the same.
        next_charge_at: None when no charge will come.
        trial_end: None where there is no trial.
        cancel_at_period_end: whether it ends with the period.
        pause_at_period_end: whether it pauses with the period.
        resumes_at: of a pause that ends by itself.
        failed_attempts: of the current period.
        card: for people, "Shinhan ****1234".
        reason: why, where there is something to say; of a decline the PG's words.
        ended_at: once it has ended.
    """

    status: str
    plan: PlanData
    amount: int
    currency: str
    current_period_start: datetime | None = None
    current_period_end: datetime | None = None
    next_charge_at: datetime | None = None
    trial_end: datetime | None = None
    cancel_at_period_end: bool = False
    pause_at_period_end: bool = False
    resumes_at: datetime | None = None
    failed_attempts: int = 0
    card: str | None = None
    reason: str | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChargeData(EventData):
    """One charge as it stands after what happened.

    Args:
        merchant_uid: the order number, kept through all retries of a period.
        cycle: the period it pays for, counted from 1; None for a proration or a one-time payment.
        state: of the charge, in the states of a cycle.
        amount: ordered; what was really taken stands in `charged_amount`.
        currency: of both amounts.
        imp_uid: PortOne's number of the attempt, where there was one.
        charged_amount: what PortOne has taken, where that is known.
        due_at: when it was due; after it was moved, when it will be.
        paid_at: once paid.
        failed_attempts: of this order so far.
        next_attempt_at: of a declined charge that is tried again.
        code: PortOne's code, where there is one.
        reason: why, in the PG's words or ours.
    """

    merchant_uid: str
    cycle: int | None
    state: str
    amount: int
    currency: str
    imp_uid: str | None = None
    charged_amount: int | None = None
    due_at: datetime | None = None
    paid_at: datetime | None = None
    failed_attempts: int = 0
    next_attempt_at: datetime | None = None
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeData(EventData):
    """A change of plan or quantity.

    Args:
        before: the terms it leaves.
        after: the terms it goes to.
        proration: `prorate`, `next_period` or `none`.
        effective_at: when it takes effect, or took.
        amount: what the change itself charges; 0 when nothing, negative for a credit.
        currency: of `amount`.
        merchant_uid: of that charge.
        imp_uid: of that charge.
        reason: why it was canceled or declined.
    """

    before: PlanData
    after: PlanData
    proration: str
    effective_at: datetime
    amount: int
    currency: str
    merchant_uid: str | None = None
    imp_uid: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ConsentData(EventData):
    """The buyer's consent to a first charge after a trial or to a higher price.

    Args:
        consent_id: names this request.
        subject: `trial_end` or `price_rise`.
        state: `asked`, `granted`, `refused` or `lapsed`.
        amount_before: of one period so far; 0 in a free trial.
        amount_after: of one period from `effective_at` on.
        currency: of both.
        effective_at: the first charge that needs it.
        expires_at: without an answer until then it lapses.
        outcome: what a refused or lapsed consent led to, `canceled` or `old_price`.
    """

    consent_id: str
    subject: str
    state: str
    amount_before: int
    amount_after: int
    currency: str
    effective_at: datetime
    expires_at: datetime
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class ParkedData(EventData):
    """What waits for a person, or what the person decided.

    Args:
        status: of the subscription meanwhile; empty where there is none.
        reason: why a person is needed.
        decisions: that are allowed: `paid`, `not_paid`, `retry`, `refund`, `end`.
        known: what is known of it, for people.
        merchant_uid: the order it is about.
        imp_uid: PortOne's number, where there is one.
        decision: that was taken.
        decided_by: who took it.
        note: why, in the words of who took it.
        kind: names why it stands, stable.
        parked_id: its own, by which it is decided.
    """

    status: str
    reason: str
    decisions: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    merchant_uid: str | None = None
    imp_uid: str | None = None
    decision: str | None = None
    decided_by: str | None = None
    note: str | None = None
    kind: str | None = None
    parked_id: str | None = None


@dataclass(frozen=True, slots=True)
class OverdueData(EventData):
    """A period that is due, neither paid nor parked, and waited for by nobody.

    Args:
        status: of the subscription, as it last said.
        cycle: the period, counted from 1.
        cycle_state: of the period, as it last said.
        merchant_uid: the order number of the period.
        due_by: the instant by which something should have happened.
        found_at: when it was noticed that nothing had.
    """

    status: str
    cycle: int
    cycle_state: str
    merchant_uid: str | None
    due_by: datetime
    found_at: datetime


@dataclass(frozen=True, slots=True)
class RefundData(EventData):
    """A refund of one payment.

    Args:
        refund_id: ours.
        merchant_uid: the order that was paid.
        imp_uid: PortOne's number of the payment.
        state: `refunded`, `refused` or `unknown`.
        amount: of the refund.
        currency: of both amounts.
        remaining: what can still be refunded, where that is known.
        code: PortOne's code, where there is one.
        reason: why it was asked for, or why it was refused.
    """

    refund_id: str
    merchant_uid: str
    imp_uid: str | None
    state: str
    amount: int
    currency: str
    remaining: int | None = None
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentMethodData(EventData):
    """The billing key that a subscription charges.

    Args:
        charged_customer_uid: the key that is charged from now on; None when there is none.
        previous_customer_uid: the key that was charged before; None when it stays as it was.
        card: for people, "Shinhan ****1234".
        pg_provider: which PG holds the key.
        code: PortOne's code, where there is one.
        reason: why it was refused, or what was found.
    """

    charged_customer_uid: str | None
    previous_customer_uid: str | None = None
    card: str | None = None
    pg_provider: str | None = None
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class DifferenceData(EventData):
    """Something that PortOne has and the ledger has not, or the other way round.

    Args:
        kind: names the difference, stable.
        found_at: by which reconciliation, UTC.
        portone: what PortOne has, for people.
        ledger: what the ledger has, for people.
        merchant_uid: the order it is about.
        imp_uid: PortOne's number, where there is one.
        amount: in doubt, where it is about money.
        currency: of `amount`.
    """

    kind: str
    found_at: datetime
    portone: str
    ledger: str
    merchant_uid: str | None = None
    imp_uid: str | None = None
    amount: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class PingData:
    """Nothing happened: somebody asked for a test.

    Args:
        endpoint_id: that is tested.
    """

    endpoint_id: str
