"""Look-ups that a subscription makes of its own orders and key, and what follows from them at once."""

from temporalio import workflow

from billing.domain.events import EventType
from billing.domain.facts import PaymentFact
from billing.domain.subscription import payloads, returns
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows.charge import portone


async def follow_returns(subscription: Subscription) -> None:
    """Look up what is left of the orders that the books count on, before money is reckoned by them."""
    rows: list[PaymentFact] = []
    for number in dict.fromkeys(order.merchant_uid for order in subscription.state.paid.orders):
        rows += await portone.find_payments(number, f"what is left of {number}")
    returns.note(subscription, rows)


async def check_the_key(subscription: Subscription, recording: Recording) -> None:
    """Ask whether the billing key still exists; that it is gone is announced once."""
    state = subscription.state
    if (
        state.ended_at is not None
        or not state.method.is_there
        or state.method.missing == subscription.terms.customer_uid
    ):
        return
    if await portone.find_key(subscription.terms.customer_uid) is not None:
        return
    since = state.method.since
    if since is not None and not subscription.start.policy.quiet.counts(since, workflow.now()):
        # A key that was issued a moment ago may not be listed yet.
        return
    state.method.is_missing(subscription.terms.customer_uid)
    reason = f"PortOne has no billing key {subscription.terms.customer_uid!r} any more, and it was not deleted here"
    recording.emit(
        EventType.PAYMENT_METHOD_DELETED_ELSEWHERE,
        "the billing key was deleted in PortOne's console",
        payloads.payment_method(subscription, reason=reason),
        workflow.now(),
    )
    recording.write(
        "the billing key is gone at PortOne", workflow.now(), deleted_billing_key=subscription.terms.customer_uid
    )
