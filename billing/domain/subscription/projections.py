"""How a subscription is seen: its row in the ledger, its snapshot, and its story for whoever reads the Temporal UI."""

from datetime import datetime

from billing.domain.coupons import Coupon
from billing.domain.records import SubscriptionLife, SubscriptionRecord
from billing.domain.states import ConsentState, SubscriptionStatus
from billing.domain.subscription import parking
from billing.domain.subscription.snapshot import SubscriptionSnapshot
from billing.domain.subscription.subscription import Subscription

NO_ACCESS = frozenset({SubscriptionStatus.UNPAID, SubscriptionStatus.PAUSED, SubscriptionStatus.INCOMPLETE})
"""Statuses in which the service is not given, whatever the grace."""


def life(subscription: Subscription, now: datetime) -> SubscriptionLife:
    """What the subscription holds beside its period."""
    state = subscription.state
    grace_ends_at = subscription.terms.grace_ends_at()
    out_of_grace = grace_ends_at is not None and now >= grace_ends_at
    skipped = state.periods.skipped
    not_paid_for = skipped is not None and skipped.begun
    closed = state.ended_at is not None or state.status in NO_ACCESS or out_of_grace or not_paid_for
    return SubscriptionLife(
        quantity=state.items.quantity,
        coupon=_coupon_in_force(subscription),
        balance=state.paid.balance,
        next_amount=subscription.terms.bill().amount if subscription.terms.next_charge_at() is not None else None,
        pending_change=state.items.pending,
        pause_at_period_end=state.pause.at_period_end,
        paused_at=state.pause.since,
        resumes_at=state.pause.resumes_at,
        trial_ends_at=state.periods.trial_ends_at,
        dunning=state.arrears.state,
        dunning_policy=subscription.start.policy.dunning,
        consent=state.consent.state,
        skipped_periods=skipped.periods if skipped is not None else 0,
        skipped_from=skipped.begins_at if skipped is not None else None,
        access=not closed,
        grace_ends_at=None if state.ended_at is not None else grace_ends_at,
        allowed_decisions=tuple(each.value for each in state.parked.decisions()),
    )


def _coupon_in_force(subscription: Subscription) -> Coupon | None:
    """The coupon that the running period was billed with, or the next bill is; one that is used up is gone."""
    coupon, paid_by = subscription.state.items.coupon, subscription.state.paid.by
    running = paid_by is not None and paid_by.coupon == coupon
    return coupon if running or subscription.terms.holding_of(subscription.terms.held()).coupon is not None else None


def record(subscription: Subscription, now: datetime) -> SubscriptionRecord:
    """The subscription as a person or a list reads it."""
    state, start = subscription.state, subscription.start
    return SubscriptionRecord(
        subscription_id=start.subscription_id,
        customer_uid=start.customer_uid,
        workflow_id=subscription.workflow_id,
        status=state.status,
        plan=subscription.terms.plan,
        customer=start.customer,
        started_at=state.began_at or state.started_at,
        revision=state.revision,
        cycle=state.period.cycle,
        cycle_state=state.period.state,
        current_period_start=state.periods.start,
        current_period_end=state.periods.end,
        next_charge_at=subscription.terms.next_charge_at(),
        merchant_uid=None if state.ended_at is not None else subscription.terms.merchant_uid,
        failed_attempts=state.arrears.failed_attempts,
        cancel_at_period_end=state.cancel.at_period_end,
        parked_reason=parking.reason_of(state),
        last_failure=state.period.last_failure,
        pg_provider=state.method.pg_provider,
        card=state.method.card,
        metadata=start.metadata,
        ended_at=state.ended_at,
        end_reason=state.end_reason,
        billing_key=state.method.customer_uid,
        life=life(subscription, now),
        waits_until=state.waits_until,
    )


def snapshot(subscription: Subscription, now: datetime, wakes_at: datetime | None = None) -> SubscriptionSnapshot:
    """Where the subscription stands at this moment."""
    state, start = subscription.state, subscription.start
    return SubscriptionSnapshot(
        subscription_id=start.subscription_id,
        customer_uid=start.customer_uid,
        status=state.status,
        cycle=state.period.cycle,
        cycle_state=state.period.state,
        merchant_uid=subscription.terms.merchant_uid,
        next_charge_at=subscription.terms.next_charge_at(),
        wakes_at=wakes_at,
        current_period_start=state.periods.start,
        current_period_end=state.periods.end,
        failed_attempts=state.arrears.failed_attempts,
        cancel_at_period_end=state.cancel.at_period_end,
        parked_reason=parking.reason_of(state),
        last_failure=state.period.last_failure,
        last_failure_code=state.period.last_failure_code,
        card=state.method.card,
        end_reason=state.end_reason,
        paid_cycles=state.paid.cycles,
        billing_key=state.method.customer_uid,
        life=life(subscription, now),
        standing=None if state.after_end.standing is None else tuple(state.after_end.standing),
    )


def details(subscription: Subscription) -> str:
    """The current details in Markdown: plan, amount, card, state, the next date, and what is to come."""
    state, plan = subscription.state, subscription.terms.plan
    times = f" × {state.items.quantity}" if state.items.quantity > 1 else ""
    lines = [f"**{plan.name}**: {plan.price}{times} {plan.interval}, card {state.method.card or 'not yet known'}"]
    lines.append(f"Status **{state.status.value}**, {state.paid.cycles} periods paid")
    if state.ended_at is not None:
        lines.append(f"Ended {subscription.terms.local(state.ended_at)}: {state.end_reason}")
    elif state.waits_for_a_card:
        amount = subscription.terms.bill().amount
        lines.append(f"Period {state.period.cycle}: {amount} is owed until another card, or a retry by hand, pays it")
    elif subscription.terms.charging:
        how = "scheduled at PortOne" if state.schedule.stands else "planned"
        amount = subscription.terms.bill().amount
        when, number = subscription.terms.local(state.period.due_at), subscription.terms.merchant_uid
        lines.append(f"Period {state.period.cycle}: {amount} {how} for {when}, order `{number}`")
    elif state.pause.since is not None:
        lines.append(
            f"Paused since {subscription.terms.local(state.pause.since)}{_until(subscription, state.pause.resumes_at)}"
        )
    elif state.periods.end is not None:
        lines.append(f"No further charge; ends {subscription.terms.local(state.periods.end)}")
    if state.in_flight.charge is not None and state.in_flight.charge.attempt.may_have_run:
        lines.append("A charge is being made, and its outcome is looked up")
    lines.extend(_what_is_to_come(subscription))
    if state.arrears.failed_attempts:
        lines.append(
            f"Attempts failed in this period: {state.arrears.failed_attempts}, last: {state.period.last_failure}"
        )
    lines.extend(f"**Parked, a person must decide:** {item.reason}" for item in state.parked.items)
    return "\n\n".join(lines)


def _what_is_to_come(subscription: Subscription) -> list[str]:
    state = subscription.state
    lines = []
    if state.periods.trial_ends_at is not None and state.ended_at is None:
        lines.append(f"Trial until {subscription.terms.local(state.periods.trial_ends_at)}")
    if state.items.pending is not None:
        change = state.items.pending
        lines.append(f"Changes to **{change.plan.name}** × {change.quantity} with the next period")
    if state.periods.skipped is not None:
        lines.append(f"Periods skipped before the next charge: {state.periods.skipped.periods}")
    if state.pause.at_period_end:
        lines.append(f"Pauses with the end of the period{_until(subscription, state.pause.resumes_at)}")
    if state.consent.state is not ConsentState.NOT_NEEDED:
        lines.append(f"Consent of the buyer: **{state.consent.state.value}**")
    if state.paid.balance:
        lines.append(f"Carried into the next bill: {state.paid.balance:+,}")
    return lines


def _until(subscription: Subscription, at: datetime | None) -> str:
    return f", goes on {subscription.terms.local(at)}" if at is not None else ""
