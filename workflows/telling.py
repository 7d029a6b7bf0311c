"""What an outgoing event says of a subscription: the shapes of the catalogue, filled from where it stands."""

from typing import TYPE_CHECKING

from temporalio import workflow

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
from billing.domain.subscription.records import ParkedItem

if TYPE_CHECKING:
    from workflows.subscription_run import SubscriptionRun


def subscription(run: "SubscriptionRun", reason: str | None = None) -> SubscriptionData:
    """The subscription as it stands."""
    state = run.state
    amount = run.bill().amount
    return SubscriptionData(
        customer_uid=run.start.customer_uid,
        subscription_id=run.start.subscription_id,
        status=state.status.value,
        plan=PlanData.of(run.plan, state.quantity),
        amount=amount.amount,
        currency=amount.currency,
        current_period_start=state.period_start,
        current_period_end=state.period_end,
        next_charge_at=run.next_charge_at(),
        trial_end=state.trial_ends_at,
        cancel_at_period_end=state.cancel_at_period_end,
        pause_at_period_end=state.pause_at_period_end,
        resumes_at=state.resumes_at,
        failed_attempts=state.failed_attempts,
        card=state.card,
        reason=reason or state.end_reason,
        ended_at=state.ended_at,
    )


def charge(
    run: "SubscriptionRun", state: CycleState, payment: PaymentFact | None = None, reason: str | None = None
) -> ChargeData:
    """The order of the open cycle, as `state`."""
    ordered = run.bill().amount
    paid = payment is not None and payment.status in ("paid", "cancelled")
    return ChargeData(
        customer_uid=run.start.customer_uid,
        subscription_id=run.start.subscription_id,
        merchant_uid=run.merchant_uid,
        cycle=run.state.cycle,
        state=state.value,
        amount=ordered.amount,
        currency=ordered.currency,
        imp_uid=payment.imp_uid if payment else None,
        charged_amount=payment.amount.amount if payment and paid else None,
        due_at=run.state.due_at,
        paid_at=payment.paid_at if payment else None,
        failed_attempts=run.state.failed_attempts,
        next_attempt_at=run.next_charge_at() if state is CycleState.DECLINED else None,
        reason=reason,
    )


def other_charge(run: "SubscriptionRun", payment: PaymentFact, state: CycleState, reason: str | None) -> ChargeData:
    """An order that is not the open cycle's: a plan change's, or one of an earlier number or period."""
    return ChargeData(
        customer_uid=run.start.customer_uid,
        subscription_id=run.start.subscription_id,
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
    run: "SubscriptionRun",
    after: PendingChange,
    proration: str,
    *,
    amount: int = 0,
    merchant_uid: str | None = None,
    imp_uid: str | None = None,
    reason: str | None = None,
    now: bool = False,
) -> ChangeData:
    """A change of what is held, from what is held now."""
    return ChangeData(
        customer_uid=run.start.customer_uid,
        subscription_id=run.start.subscription_id,
        before=PlanData.of(run.plan, run.state.quantity),
        after=PlanData.of(after.plan, after.quantity),
        proration=proration,
        effective_at=workflow.now() if now else run.state.due_at,
        amount=amount,
        currency=after.plan.price.currency,
        merchant_uid=merchant_uid,
        imp_uid=imp_uid,
        reason=reason,
    )


def consent(run: "SubscriptionRun", outcome: str | None = None) -> ConsentData:
    """The consent to the next charge as it stands."""
    need = run.state.consent_need
    assert need is not None  # noqa: S101 - a consent that is told of was needed
    return ConsentData(
        customer_uid=run.start.customer_uid,
        subscription_id=run.start.subscription_id,
        consent_id=run.consent_id,
        subject=need.kind.value,
        state=run.state.consent.value,
        amount_before=need.amount_before.amount,
        amount_after=need.amount_after.amount,
        currency=need.amount_after.currency,
        effective_at=need.effective_at,
        expires_at=need.effective_at,
        outcome=outcome,
    )


def known(run: "SubscriptionRun", merchant_uid: str, payment: PaymentFact | None) -> list[str]:
    """What is known of an order that stands parked, for people."""
    state, lines = run.state, []
    if merchant_uid == run.merchant_uid:
        lines.append(f"order {merchant_uid} of period {state.cycle}: {state.cycle_state.value}")
        if state.last_failure:
            lines.append(f"last failure: {state.last_failure}")
    else:
        lines.append(f"order {merchant_uid}")
    if payment is not None:
        back = Money(payment.cancelled_amount, payment.amount.currency)
        went_back = f", {back} refunded" if payment.cancelled_amount else ""
        lines.append(f"payment {payment.imp_uid}: {payment.amount} {payment.status}{went_back}")
    return lines


def parked(
    run: "SubscriptionRun",
    item: ParkedItem,
    *,
    decision: str | None = None,
    decided_by: str | None = None,
    note: str | None = None,
) -> ParkedData:
    """What stands parked, what is known of it, and what a person may decide or has decided."""
    return ParkedData(
        customer_uid=run.start.customer_uid,
        subscription_id=run.start.subscription_id,
        status=run.state.status.value,
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
    run: "SubscriptionRun", *, previous: str | None = None, code: str | None = None, reason: str | None = None
) -> PaymentMethodData:
    """The billing key that is charged from now on."""
    return PaymentMethodData(
        customer_uid=run.start.customer_uid,
        subscription_id=run.start.subscription_id,
        charged_customer_uid=run.customer_uid if run.state.has_card else None,
        previous_customer_uid=previous,
        card=run.state.card,
        pg_provider=run.state.pg_provider,
        code=code,
        reason=reason,
    )
