"""What the API shows: the ledger's rows as JSON."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from api.dependencies import Desk
from billing.domain.bills import Bill
from billing.domain.coupons import Coupon
from billing.domain.dunning import DunningPolicy
from billing.domain.facts import BillingKeyFact, PaymentFact
from billing.domain.overdue import OverduePeriod
from billing.domain.parked import DECISIONS, DecisionRecord
from billing.domain.plans import PlanTerms
from billing.domain.records import ConsentRecord, RefundRecord, SubscriptionLife, SubscriptionRecord
from billing.domain.takeover import Standing
from billing.ledger import ChargeRow, ParkedRow, PlanRow

Json = dict[str, Any]


def instant(at: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return at.isoformat().replace("+00:00", "Z") if at else None


def plan_view(terms: PlanTerms) -> Json:
    """The terms of a plan, in the words of the request."""
    return {
        "plan_id": terms.plan_id,
        "version": terms.version,
        "name": terms.name,
        "amount": terms.price.amount,
        "currency": terms.price.currency,
        "interval": terms.interval.unit.value,
        "interval_count": terms.interval.count,
        "tax_free": terms.tax_free,
        "vat_amount": terms.vat_amount,
        "trial_days": terms.trial_days,
        "max_cycles": terms.max_cycles,
        "time_zone": terms.zone,
        "consent_required": terms.consent_required,
        "on_no_consent": terms.on_no_consent.value,
        "trial_end_without_card": terms.trial_end_without_card.value,
    }


def plan_row_view(row: PlanRow) -> Json:
    """A version of a plan in the catalogue."""
    return {**plan_view(row.terms), "created_at": instant(row.created_at)}


def subscription_view(desk: Desk, record: SubscriptionRecord) -> Json:
    """One subscription with its current cycle and a link to its run."""
    return {
        "customer_uid": record.customer_uid,
        "subscription_id": record.subscription_id,
        "status": record.status.value,
        "plan": plan_view(record.plan),
        "current_period_start": instant(record.current_period_start),
        "current_period_end": instant(record.current_period_end),
        "cycle": {
            "number": record.cycle,
            "state": record.cycle_state.value,
            "merchant_uid": record.merchant_uid,
            "next_charge_at": instant(record.next_charge_at),
            "failed_attempts": record.failed_attempts,
        },
        "cancel_at_period_end": record.cancel_at_period_end,
        "parked_reason": record.parked_reason,
        "last_failure": record.last_failure,
        "payment_method": {
            "customer_uid": record.billing_key or record.customer_uid,
            "pg_provider": record.pg_provider,
            "card": record.card,
        },
        **life_view(record.life),
        "customer": {
            "id": record.customer.id,
            "name": record.customer.name,
            "tel": record.customer.tel,
            "email": record.customer.email,
        },
        "metadata": dict(record.metadata),
        "started_at": instant(record.started_at.replace(microsecond=0)),
        "ended_at": instant(record.ended_at),
        "end_reason": record.end_reason,
        "run_url": desk.run_url(record.workflow_id),
    }


def refused_start_view(record: SubscriptionRecord | None) -> Json | None:
    """A start after the end that came to nothing: when, and why."""
    if record is None:
        return None
    return {
        "subscription_id": record.subscription_id,
        "started_at": instant(record.started_at.replace(microsecond=0)),
        "reason": record.end_reason,
    }


def life_view(life: SubscriptionLife) -> Json:
    """What a subscription holds beside its period."""
    change = life.pending_change
    return {
        "quantity": life.quantity,
        "coupon": coupon_view(life.coupon),
        "balance": life.balance,
        "next_amount": life.next_amount.amount if life.next_amount else None,
        "pending_change": {
            "plan": plan_view(change.plan),
            "quantity": change.quantity,
            "coupon": coupon_view(change.coupon),
        }
        if change
        else None,
        "pause_at_period_end": life.pause_at_period_end,
        "paused_at": instant(life.paused_at),
        "resumes_at": instant(life.resumes_at),
        "trial_end": instant(life.trial_ends_at),
        "skip": {"periods": life.skipped_periods, "from": instant(life.skipped_from)} if life.skipped_periods else None,
        "dunning": life.dunning.value,
        "dunning_policy": dunning_view(life.dunning_policy),
        "consent": life.consent.value,
        "access": life.access,
        "grace_ends_at": instant(life.grace_ends_at),
    }


def dunning_view(policy: DunningPolicy | None) -> Json | None:
    """How an unpaid period is dealt with, in the words of the request."""
    if policy is None:
        return None
    return {
        "after_days": list(policy.after_days),
        "grace_days": policy.grace_days,
        "end_action": policy.end_action.value,
    }


def consent_view(consent: ConsentRecord) -> Json:
    """A question to the buyer, or an answer with what was shown to them."""
    need, evidence = consent.need, consent.evidence
    return {
        "consent_id": consent.consent_id,
        "subscription_id": consent.subscription_id,
        "subject": need.kind.value,
        "state": consent.state.value,
        "at": instant(consent.at),
        "amount_before": need.amount_before.amount,
        "amount_after": need.amount_after.amount,
        "currency": need.amount_after.currency,
        "payment_method": need.payment_method,
        "effective_at": instant(need.effective_at),
        "opens_at": instant(need.opens_at),
        "expires_at": instant(need.lapses_at),
        "evidence": {
            "decision": evidence.decision.value,
            "shown": evidence.shown,
            "by": evidence.by,
            "at": instant(evidence.at),
            "locale": evidence.locale,
            "ip": evidence.ip,
            "user_agent": evidence.user_agent,
        }
        if evidence
        else None,
    }


def coupon_view(coupon: Coupon | None) -> Json | None:
    """A coupon, in the words of the request."""
    if coupon is None:
        return None
    return {
        "name": coupon.name,
        "percent_off": coupon.percent_off,
        "amount_off": coupon.amount_off.amount if coupon.amount_off else None,
        "currency": coupon.amount_off.currency if coupon.amount_off else None,
        "duration": coupon.duration.value,
        "duration_cycles": coupon.duration_cycles,
    }


def bill_view(bill: Bill) -> Json:
    """A bill, line by line."""
    return {
        "amount": bill.amount.amount,
        "currency": bill.amount.currency,
        "tax_free": bill.tax_free,
        "vat_amount": bill.vat_amount,
        "lines": [{"text": line.text, "amount": line.amount} for line in bill.lines],
        "carried": bill.carried,
    }


def parked_view(desk: Desk, row: ParkedRow, payments: Sequence[PaymentFact]) -> Json:
    """What stands parked: why, what is known, and what each decision would do."""
    return {
        "parked_id": row.parked_id,
        "kind": row.kind.value,
        "customer_uid": row.customer_uid,
        "subscription_id": row.subscription_id,
        "merchant_uid": row.merchant_uid,
        "imp_uid": row.imp_uid,
        "reason": row.reason,
        "known": list(row.known),
        "payments": [payment_view(payment) for payment in payments],
        "decisions": {decision.value: DECISIONS[row.kind][decision] for decision in row.decisions},
        "parked_at": instant(row.parked_at),
        "run_url": desk.run_url(row.workflow_id),
    }


def overdue_view(desk: Desk, found: OverduePeriod, run: Mapping[str, Any]) -> Json:
    """What should have moved and did not: since when, as it last said it stands, and what its run does instead."""
    record = found.record
    return {
        "subscription_id": record.subscription_id,
        "customer_uid": record.customer_uid,
        "status": record.status.value,
        "cycle": record.cycle,
        "cycle_state": record.cycle_state.value,
        "merchant_uid": record.merchant_uid,
        "due_by": instant(found.due_by),
        "overdue_seconds": int((found.now - found.due_by).total_seconds()),
        "run": dict(run),
        "run_url": desk.run_url(record.workflow_id),
    }


def decision_view(record: DecisionRecord) -> Json:
    """What a person decided, with who and why."""
    return {
        "parked_id": record.parked_id,
        "kind": record.kind.value,
        "merchant_uid": record.merchant_uid,
        "imp_uid": record.imp_uid,
        "parked_reason": record.parked_reason,
        "decision": record.decision.value,
        "by": record.by,
        "reason": record.reason,
        "at": instant(record.at),
    }


def standing_view(standing: Sequence[Standing] | None) -> list[Json] | None:
    """What somebody else has on a billing key; None where PortOne could not be asked."""
    if standing is None:
        return None
    return [
        {
            "merchant_uid": each.merchant_uid,
            "state": each.state,
            "amount": each.amount.amount,
            "currency": each.amount.currency,
            "at": instant(each.at),
            "imp_uid": each.imp_uid,
        }
        for each in standing
    ]


def charge_view(row: ChargeRow) -> Json:
    """One charge."""
    return {
        "merchant_uid": row.merchant_uid,
        "kind": row.kind.value,
        "customer_uid": row.customer_uid,
        "subscription_id": row.subscription_id,
        "cycle": row.cycle,
        "amount": row.amount.amount,
        "currency": row.amount.currency,
        "tax_free": row.tax_free,
        "vat_amount": row.vat_amount,
        "name": row.name,
        "due_at": instant(row.due_at),
        "state": row.state.value,
        "imp_uid": row.imp_uid,
        "message": row.message,
        "settled_at": instant(row.settled_at),
    }


def payment_view(fact: PaymentFact) -> Json:
    """What PortOne was found to have."""
    return {
        "imp_uid": fact.imp_uid,
        "status": fact.status,
        "amount": fact.amount.amount,
        "currency": fact.amount.currency,
        "cancelled_amount": fact.cancelled_amount,
        "paid_at": instant(fact.paid_at),
        "failed_at": instant(fact.failed_at),
        "fail_reason": fact.fail_reason,
        "card_name": fact.card_name,
        "card_number": fact.card_number,
        "receipt_url": fact.receipt_url,
    }


def refund_view(refund: RefundRecord) -> Json:
    """One refund."""
    return {
        "refund_id": refund.refund_id,
        "amount": refund.amount.amount,
        "currency": refund.amount.currency,
        "state": refund.state.value,
        "reason": refund.reason,
        "message": refund.message,
        "at": instant(refund.at),
    }


def billing_key_view(key: BillingKeyFact) -> Json:
    """A billing key, masked to the last four digits."""
    return {
        "customer_uid": key.customer_uid,
        "pg_provider": key.pg_provider,
        "card_name": key.card_name,
        "card_number": key.card_number,
        "issued_at": instant(key.inserted_at),
    }
