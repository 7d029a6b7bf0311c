"""What an outgoing event says of a subscription: the shapes of the catalogue, filled from where it stands."""

from datetime import datetime

from billing.domain.event_data import (
    ChangeData,
    ChargeData,
    ConsentData,
    ParkedData,
    PaymentMethodData,
    PlanData,
    SubscriptionData,
)
from billing.domain.facts import PaymentFact
from billing.domain.money import Money
from billing.domain.parked import DECISIONS
from billing.domain.records import PendingChange
from billing.domain.states import CycleState
from billing.domain.subscription.parked_items import ParkedItem
from billing.domain.subscription.subscription import Subscription


def subscription(subscription: Subscription, reason: str | None = None) -> SubscriptionData:
    """The subscription as it stands."""
    state = subscription.state
    amount = subscription.terms.bill().amount
    return SubscriptionData(
        customer_uid=subscription.start.customer_uid,
        subscription_id=subscription.start.subscription_id,
        status=state.status.value,
        plan=PlanData.of(subscription.terms.plan, state.items.quantity),
        amount=amount.amount,
        currency=amount.currency,
        current_period_start=state.periods.start,
        current_period_end=state.periods.end,
        next_charge_at=subscription.terms.next_charge_at(),
        trial_end=state.periods.trial_ends_at,
        cancel_at_period_end=state.cancel.at_period_end,
        pause_at_period_end=state.pause.at_period_end,
        resumes_at=state.pause.resumes_at,
        failed_attempts=state.arrears.failed_attempts,
        card=state.method.card,
        reason=reason or state.end_reason,
        ended_at=state.ended_at,
    )


def charge(
    subscription: Subscription, state: CycleState, payment: PaymentFact | None = None, reason: str | None = None
) -> ChargeData:
    """The order of the open cycle, as `state`."""
    ordered = subscription.terms.bill().amount
    paid = payment is not None and payment.status in ("paid", "cancelled")
    return ChargeData(
        customer_uid=subscription.start.customer_uid,
        subscription_id=subscription.start.subscription_id,
        merchant_uid=subscription.terms.merchant_uid,
        cycle=subscription.state.period.cycle,
        state=state.value,
        amount=ordered.amount,
        currency=ordered.currency,
        imp_uid=payment.imp_uid if payment else None,
        charged_amount=payment.amount.amount if payment and paid else None,
        due_at=subscription.state.period.due_at,
        paid_at=payment.paid_at if payment else None,
        failed_attempts=subscription.state.arrears.failed_attempts,
        next_attempt_at=subscription.terms.next_charge_at() if state is CycleState.DECLINED else None,
        reason=reason,
    )


def other_charge(subscription: Subscription, payment: PaymentFact, state: CycleState, reason: str | None) -> ChargeData:
    """An order that is not the open cycle's: a plan change's, or one of an earlier number or period."""
    return ChargeData(
        customer_uid=subscription.start.customer_uid,
        subscription_id=subscription.start.subscription_id,
        merchant_uid=payment.merchant_uid,
        cycle=None,
        state=state.value,
        amount=payment.amount.amount,
        currency=payment.amount.currency,
        imp_uid=payment.imp_uid,
        charged_amount=payment.amount.amount,
        paid_at=payment.paid_at,
        reason=reason,
    )


def change(
    subscription: Subscription,
    after: PendingChange,
    proration: str,
    *,
    amount: int = 0,
    merchant_uid: str | None = None,
    imp_uid: str | None = None,
    reason: str | None = None,
    effective_at: datetime | None = None,
) -> ChangeData:
    """A change of what is subscribed to, from what is now; effective with the open period unless said otherwise."""
    return ChangeData(
        customer_uid=subscription.start.customer_uid,
        subscription_id=subscription.start.subscription_id,
        before=PlanData.of(subscription.terms.plan, subscription.state.items.quantity),
        after=PlanData.of(after.plan, after.quantity),
        proration=proration,
        effective_at=effective_at or subscription.state.period.due_at,
        amount=amount,
        currency=after.plan.price.currency,
        merchant_uid=merchant_uid,
        imp_uid=imp_uid,
        reason=reason,
    )


def consent(subscription: Subscription, outcome: str | None = None) -> ConsentData:
    """The consent to the next charge as it stands."""
    need = subscription.state.consent.need
    assert need is not None  # noqa: S101 - a consent that is told of was needed
    return ConsentData(
        customer_uid=subscription.start.customer_uid,
        subscription_id=subscription.start.subscription_id,
        consent_id=subscription.terms.consent_id,
        subject=need.kind.value,
        state=subscription.state.consent.state.value,
        amount_before=need.amount_before.amount,
        amount_after=need.amount_after.amount,
        currency=need.amount_after.currency,
        effective_at=need.effective_at,
        expires_at=need.effective_at,
        outcome=outcome,
    )


def known(subscription: Subscription, merchant_uid: str, payment: PaymentFact | None) -> list[str]:
    """What is known of an order that stands parked, for people."""
    state, lines = subscription.state, []
    if merchant_uid == subscription.terms.merchant_uid:
        lines.append(f"order {merchant_uid} of period {state.period.cycle}: {state.period.state.value}")
        if state.period.last_failure:
            lines.append(f"last failure: {state.period.last_failure}")
    else:
        lines.append(f"order {merchant_uid}")
    if payment is not None:
        back = Money(payment.cancelled_amount, payment.amount.currency)
        went_back = f", {back} refunded" if payment.cancelled_amount else ""
        lines.append(f"payment {payment.imp_uid}: {payment.amount} {payment.status}{went_back}")
    return lines


def parked(
    subscription: Subscription,
    item: ParkedItem,
    *,
    decision: str | None = None,
    decided_by: str | None = None,
    note: str | None = None,
) -> ParkedData:
    """What stands parked, what is known of it, and what a person may decide or has decided."""
    return ParkedData(
        customer_uid=subscription.start.customer_uid,
        subscription_id=subscription.start.subscription_id,
        status=subscription.state.status.value,
        reason=item.reason,
        decisions=tuple(each.value for each in DECISIONS[item.kind]),
        known=tuple(item.known),
        merchant_uid=item.merchant_uid,
        imp_uid=item.imp_uid,
        decision=decision,
        decided_by=decided_by,
        note=note,
        kind=item.kind.value,
        parked_id=item.parked_id,
    )


def payment_method(
    subscription: Subscription, *, previous: str | None = None, code: str | None = None, reason: str | None = None
) -> PaymentMethodData:
    """The billing key that is charged from now on."""
    return PaymentMethodData(
        customer_uid=subscription.start.customer_uid,
        subscription_id=subscription.start.subscription_id,
        charged_customer_uid=subscription.terms.customer_uid if subscription.state.method.is_there else None,
        previous_customer_uid=previous,
        card=subscription.state.method.card,
        pg_provider=subscription.state.method.pg_provider,
        code=code,
        reason=reason,
    )
