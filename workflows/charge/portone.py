"""All that a subscription asks of PortOne: look-ups that give up soon, and changes whose missing answer is kept.

A look-up that PortOne does not answer within three tries raises ActivityError: the step that asked is left, and the
one wait hears commands until it is asked again. A change leaves after all that is noted is in the ledger, and is never
forgotten: one that was not answered is kept in the state as a call on its way, until its quiet window is over
(`billing.domain.calls`).
"""

from collections.abc import Sequence
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError

from billing.domain.calls import CallKind
from billing.domain.facts import BillingKeyFact, PaymentFact, ScheduleFact
from billing.domain.outcomes import ChargeOutcome, KeyOutcome, ScheduleOutcome
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows import policies
from workflows.contracts import (
    ChargeAgain,
    ChargeAnswer,
    DeleteBillingKey,
    IssueBillingKey,
    KeyAnswer,
    LookUpOrder,
    OrderSeen,
    RegisterSchedule,
    Reschedule,
    RetrySchedule,
    ScheduleAnswer,
    Unschedule,
)
from workflows.policies import ActivityOptions
from workflows.ports import BillingKeyActivities, PaymentActivities, ScheduleActivities
from workflows.subscription.ledger import record

# ---------------------------------------------------------------- look-ups


async def find_payments(merchant_uid: str, summary: str | None = None) -> Sequence[PaymentFact]:
    """Every payment that PortOne has of an order number."""
    return await workflow.execute_activity_method(
        PaymentActivities.find_payments, merchant_uid, summary=summary or f"look up {merchant_uid}", **policies.ASK
    )


async def look_up_order(order: LookUpOrder) -> OrderSeen:
    """What PortOne shows of an order, in one look."""
    return await workflow.execute_activity_method(
        PaymentActivities.look_up_order, order, summary=f"look up {order.merchant_uid}", **policies.ASK_IN_TURN
    )


async def find_schedule(merchant_uid: str) -> ScheduleFact | None:
    """PortOne's schedule row of an order number, or None."""
    return await workflow.execute_activity_method(
        ScheduleActivities.find_schedule, merchant_uid, summary=f"read schedule {merchant_uid}", **policies.ASK
    )


async def find_key(customer_uid: str) -> BillingKeyFact | None:
    """The billing key that PortOne has of a customer_uid, or None."""
    return await workflow.execute_activity_method(
        BillingKeyActivities.find_billing_key, customer_uid, summary=f"look up key {customer_uid}", **policies.ASK
    )


# ---------------------------------------------------------------- changes


async def schedule(subscription: Subscription, recording: Recording, order: RegisterSchedule) -> ScheduleAnswer:
    """Register one charge, once; unknown where no answer came."""
    await record(recording)
    summary = f"schedule period {subscription.state.period.cycle} for {subscription.terms.local(order.schedule_at)}"
    try:
        answer = await workflow.execute_activity_method(
            ScheduleActivities.register_schedule, order, summary=summary, **policies.SEND_ONCE
        )
    except ActivityError as error:
        answer = ScheduleAnswer(outcome=ScheduleOutcome.UNKNOWN, message=str(error.cause or error))
    return _noted(subscription, workflow.now(), CallKind.SCHEDULE, order.merchant_uid, answer)


async def reschedule(subscription: Subscription, recording: Recording, order: Reschedule) -> ScheduleAnswer:
    """Let a failed or revoked schedule stand again, once; unknown where no answer came."""
    await record(recording)
    try:
        answer = await workflow.execute_activity_method(
            ScheduleActivities.reschedule,
            order,
            summary=f"retry on {subscription.terms.local(order.schedule_at)}",
            **policies.SEND_ONCE,
        )
    except ActivityError as error:
        answer = ScheduleAnswer(outcome=ScheduleOutcome.UNKNOWN, message=str(error.cause or error))
    return _noted(subscription, workflow.now(), CallKind.RESCHEDULE, order.merchant_uid, answer)


async def unschedule(
    subscription: Subscription, recording: Recording, customer_uid: str, merchant_uid: str, summary: str | None = None
) -> bool:
    """Revoke the schedule of one order number, which is always named; whether PortOne answered at all.

    The row that is read afterwards says what became of it, but for one that lags behind the answer
    (`scheduling.without_lag`).
    """
    await record(recording)
    at, answered, unanswered = workflow.now(), True, 0
    try:
        done = await workflow.execute_activity_method(
            ScheduleActivities.unschedule,
            Unschedule(customer_uid=customer_uid, merchant_uid=merchant_uid),
            summary=summary or f"revoke {merchant_uid}",
            **policies.ASK,
        )
        unanswered = done.unanswered
        if done.row is not None and done.row.status == "revoked" and merchant_uid == subscription.terms.merchant_uid:
            subscription.state.schedule.is_said_revoked(workflow.now())
    except ActivityError:
        answered, unanswered = False, 1
    if unanswered:
        subscription.state.in_flight.is_unanswered(
            CallKind.UNSCHEDULE, merchant_uid, at, subscription.start.policy.quiet
        )
    return answered


async def again(recording: Recording, charge: ChargeAgain, what: str) -> ChargeAnswer:
    """Charge a billing key now; unknown where no answer came."""
    await record(recording)
    try:
        return await workflow.execute_activity_method(
            PaymentActivities.charge_again, charge, summary=f"charge {charge.amount}, {what}", **policies.CHARGE
        )
    except ActivityError as error:
        # The worker died or hung with the request perhaps on its way: that is what unknown means.
        return ChargeAnswer(outcome=ChargeOutcome.UNKNOWN, message=str(error.cause or error))


async def retry(recording: Recording, order: RetrySchedule, summary: str) -> ChargeAnswer:
    """Charge a failed or revoked schedule now; unknown where no answer came."""
    await record(recording)
    try:
        return await workflow.execute_activity_method(
            PaymentActivities.retry_schedule, order, summary=summary, **policies.CHARGE
        )
    except ActivityError as error:
        return ChargeAnswer(outcome=ChargeOutcome.UNKNOWN, message=str(error.cause or error))


async def issue_key(subscription: Subscription, recording: Recording, order: IssueBillingKey) -> KeyAnswer:
    """Issue a billing key from the vault's card, once; unknown where no answer came."""
    await record(recording)
    at = workflow.now()
    try:
        answer = await workflow.execute_activity_method(
            BillingKeyActivities.issue_billing_key, order, summary=f"issue {order.customer_uid}", **policies.SEND_ONCE
        )
    except ActivityError as error:
        answer = KeyAnswer(outcome=KeyOutcome.UNKNOWN, message=str(error.cause or error))
    if answer.outcome is KeyOutcome.UNKNOWN:
        subscription.state.in_flight.is_unanswered(
            CallKind.ISSUE_KEY, order.customer_uid, at, subscription.start.policy.quiet
        )
    return answer


async def delete_key(
    subscription: Subscription,
    recording: Recording,
    customer_uid: str,
    reason: str,
    options: ActivityOptions = policies.ASK,
) -> bool:
    """Delete a billing key; whether PortOne answered. What is not there any more is deleted, too."""
    await record(recording)
    at, answered, unanswered = workflow.now(), True, 0
    try:
        done = await workflow.execute_activity_method(
            BillingKeyActivities.delete_billing_key,
            DeleteBillingKey(customer_uid=customer_uid, reason=reason),
            summary=f"delete {customer_uid}",
            **options,
        )
        unanswered = done.unanswered
    except ActivityError:
        answered, unanswered = False, 1
    if unanswered:
        subscription.state.in_flight.is_unanswered(
            CallKind.DELETE_KEY, customer_uid, at, subscription.start.policy.quiet
        )
    return answered


def _noted(
    subscription: Subscription, now: datetime, kind: CallKind, merchant_uid: str, answer: ScheduleAnswer
) -> ScheduleAnswer:
    if answer.outcome is ScheduleOutcome.UNKNOWN:
        subscription.state.in_flight.is_unanswered(kind, merchant_uid, now, subscription.start.policy.quiet)
    return answer


def shown_done(subscription: Subscription, merchant_uid: str, *kinds: CallKind) -> None:
    """PortOne shows what a call was to do: where one such call was on its way, it has arrived."""
    subscription.state.in_flight.is_shown_done(merchant_uid, kinds)
