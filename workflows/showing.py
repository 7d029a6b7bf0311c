"""How a subscription is seen: its row in the ledger, its snapshot, and its story in the Temporal UI."""

from datetime import datetime
from typing import TYPE_CHECKING

from temporalio import workflow
from temporalio.common import SearchAttributeKey

from billing.domain.coupons import Coupon
from billing.domain.records import SubscriptionLife, SubscriptionRecord
from billing.domain.states import ConsentState, SubscriptionStatus
from billing.domain.subscription.snapshot import SubscriptionSnapshot
from workflows import parking, possible

if TYPE_CHECKING:
    from workflows.subscription_run import SubscriptionRun

STATUS = SearchAttributeKey.for_keyword("SubscriptionStatus")
PG_PROVIDER = SearchAttributeKey.for_keyword("PgProvider")
NEXT_CHARGE_AT = SearchAttributeKey.for_datetime("NextChargeAt")
FAILED_ATTEMPTS = SearchAttributeKey.for_int("FailedAttempts")
PARKED = SearchAttributeKey.for_keyword("Parked")

NO_ACCESS = frozenset({SubscriptionStatus.UNPAID, SubscriptionStatus.PAUSED, SubscriptionStatus.INCOMPLETE})
"""Statuses in which the service is not given, whatever the grace."""


def life(run: "SubscriptionRun") -> SubscriptionLife:
    """What the subscription holds beside its period."""
    state = run.state
    grace_ends_at = run.grace_ends_at()
    out_of_grace = grace_ends_at is not None and workflow.now() >= grace_ends_at
    closed = state.ended_at is not None or state.status in NO_ACCESS or out_of_grace
    return SubscriptionLife(
        quantity=state.quantity,
        coupon=_coupon_in_force(run),
        balance=state.balance,
        next_amount=run.bill().amount if run.next_charge_at() is not None else None,
        pending_change=state.pending_change,
        pause_at_period_end=state.pause_at_period_end,
        paused_at=state.paused_at,
        resumes_at=state.resumes_at,
        trial_ends_at=state.trial_ends_at,
        dunning=state.dunning,
        dunning_policy=run.start.policy.dunning,
        consent=state.consent,
        access=not closed,
        grace_ends_at=None if state.ended_at is not None else grace_ends_at,
        allowed_decisions=tuple(each.value for each in possible.decisions(run.state)),
    )


def _coupon_in_force(run: "SubscriptionRun") -> Coupon | None:
    """The coupon that the running period was billed with, or the next bill is; one that is used up is gone."""
    coupon, paid_by = run.state.coupon, run.state.paid_by
    running = paid_by is not None and paid_by.coupon == coupon
    return coupon if running or run.holding_of(run.held()).coupon is not None else None


def record(run: "SubscriptionRun") -> SubscriptionRecord:
    """The subscription as a person or a list reads it."""
    state, start = run.state, run.start
    return SubscriptionRecord(
        subscription_id=start.subscription_id,
        customer_uid=start.customer_uid,
        workflow_id=workflow.info().workflow_id,
        status=state.status,
        plan=run.plan,
        customer=start.customer,
        started_at=state.began_at or state.started_at,
        revision=state.revision,
        cycle=state.cycle,
        cycle_state=state.cycle_state,
        current_period_start=state.period_start,
        current_period_end=state.period_end,
        next_charge_at=run.next_charge_at(),
        merchant_uid=None if state.ended_at is not None else run.merchant_uid,
        failed_attempts=state.failed_attempts,
        cancel_at_period_end=state.cancel_at_period_end,
        parked_reason=parking.reason_of(state),
        last_failure=state.last_failure,
        pg_provider=state.pg_provider,
        card=state.card,
        metadata=start.metadata,
        ended_at=state.ended_at,
        end_reason=state.end_reason,
        billing_key=state.customer_uid,
        life=life(run),
    )


def snapshot(run: "SubscriptionRun") -> SubscriptionSnapshot:
    """Where the subscription stands at this moment."""
    state, start = run.state, run.start
    return SubscriptionSnapshot(
        subscription_id=start.subscription_id,
        customer_uid=start.customer_uid,
        status=state.status,
        cycle=state.cycle,
        cycle_state=state.cycle_state,
        merchant_uid=run.merchant_uid,
        next_charge_at=run.next_charge_at(),
        wakes_at=run.wakes_at,
        current_period_start=state.period_start,
        current_period_end=state.period_end,
        failed_attempts=state.failed_attempts,
        cancel_at_period_end=state.cancel_at_period_end,
        parked_reason=parking.reason_of(state),
        last_failure=state.last_failure,
        last_failure_code=state.last_failure_code,
        card=state.card,
        end_reason=state.end_reason,
        paid_cycles=state.paid_cycles,
        billing_key=state.customer_uid,
        life=life(run),
        standing=None if state.standing is None else tuple(state.standing),
    )


def show(run: "SubscriptionRun") -> None:
    """Make the Temporal UI tell the story: search attributes when they changed, and the current details."""
    state = run.state
    parked = state.parked[0].kind.value if state.parked else None
    shown = (state.status.value, state.pg_provider, run.next_charge_at(), state.failed_attempts, parked)
    if shown != run.shown:
        run.shown = shown
        status, provider, next_charge_at, failures, parked = shown
        workflow.upsert_search_attributes(
            [
                STATUS.value_set(status),
                PG_PROVIDER.value_set(provider) if provider else PG_PROVIDER.value_unset(),
                NEXT_CHARGE_AT.value_set(next_charge_at) if next_charge_at else NEXT_CHARGE_AT.value_unset(),
                FAILED_ATTEMPTS.value_set(failures),
                PARKED.value_set(parked) if parked else PARKED.value_unset(),
            ]
        )
    workflow.set_current_details(details(run))


def details(run: "SubscriptionRun") -> str:
    """The current details in Markdown: plan, amount, card, state, the next date, and what is to come."""
    state, plan = run.state, run.plan
    times = f" × {state.quantity}" if state.quantity > 1 else ""
    lines = [f"**{plan.name}**: {plan.price}{times} {plan.interval}, card {state.card or 'not yet known'}"]
    lines.append(f"Status **{state.status.value}**, {state.paid_cycles} periods paid")
    if state.ended_at is not None:
        lines.append(f"Ended {run.local(state.ended_at)}: {state.end_reason}")
    elif state.waits_for_a_card:
        amount = run.bill().amount
        lines.append(f"Period {state.cycle}: {amount} is owed until another card, or a retry by hand, pays it")
    elif run.charging:
        how = "scheduled at PortOne" if state.booked else "planned"
        amount = run.bill().amount
        lines.append(f"Period {state.cycle}: {amount} {how} for {run.local(state.due_at)}, order `{run.merchant_uid}`")
    elif state.paused_at is not None:
        lines.append(f"Paused since {run.local(state.paused_at)}{_until(run, state.resumes_at)}")
    elif state.period_end is not None:
        lines.append(f"No further charge; ends {run.local(state.period_end)}")
    lines.extend(_what_is_to_come(run))
    if state.failed_attempts:
        lines.append(f"Attempts failed in this period: {state.failed_attempts}, last: {state.last_failure}")
    lines.extend(f"**Parked, a person must decide:** {item.reason}" for item in state.parked)
    return "\n\n".join(lines)


def _what_is_to_come(run: "SubscriptionRun") -> list[str]:
    state = run.state
    lines = []
    if state.trial_ends_at is not None and state.ended_at is None:
        lines.append(f"Trial until {run.local(state.trial_ends_at)}")
    if state.pending_change is not None:
        change = state.pending_change
        lines.append(f"Changes to **{change.plan.name}** × {change.quantity} with the next period")
    if state.pause_at_period_end:
        lines.append(f"Pauses with the end of the period{_until(run, state.resumes_at)}")
    if state.consent is not ConsentState.NOT_NEEDED:
        lines.append(f"Consent of the buyer: **{state.consent.value}**")
    if state.balance:
        lines.append(f"Carried into the next bill: {state.balance:+,}")
    return lines


def _until(run: "SubscriptionRun", at: datetime | None) -> str:
    return f", goes on {run.local(at)}" if at is not None else ""
