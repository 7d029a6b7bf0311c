"""Another card: a new key, the open charge moved over to it, the old key deleted when nothing can charge it any more.

At no moment can both keys be charged: the open schedule is read back as revoked on the old key before anything is
registered on the new one. Whatever fails, the steps before it are taken back.
"""

from temporalio import workflow

from billing.domain.events import EventType
from billing.domain.facts import BillingKeyFact
from billing.domain.outcomes import KeyOutcome
from workflows import arbiter, booking, consent_need, policies, possible, retrying, telling
from workflows.contracts import DeleteBillingKey, IssueBillingKey
from workflows.issuing import discard_card, find_key, issue_key
from workflows.orders import ChangePaymentMethod, ChargeAtOrder, OrderAnswered
from workflows.ports import BillingKeyActivities, ScheduleActivities
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun


async def change(run: SubscriptionRun, order: ChangePaymentMethod) -> OrderAnswered:
    """Charge another key from now on; an unpaid period is tried with it at once."""
    key, code, message = await _new_key(order)
    if key is None:
        run.tell(
            EventType.PAYMENT_METHOD_REFUSED,
            "a new card was refused",
            telling.payment_method(run, code=code, reason=message),
        )
        await run.write("the new card was refused")
        return OrderAnswered(snapshot=snapshot(run), done=False, code=code, message=message)
    stopped = await arbiter.stop_the_charge(run)
    if run.state.booked:
        # The charge ran and was declined just now, and its retry was booked on the old key.
        stopped = await arbiter.stop_the_charge(run)
    if stopped.charge in (ChargeAtOrder.MISMATCH, ChargeAtOrder.UNKNOWN):
        # Nothing may be charged on another key while the outcome on this one is open.
        await _delete(order.customer_uid, "the outcome of the last charge is open")
        message = "the next charge ran first, and what came of it is open; that comes first"
        code = f"charge_{stopped.charge.value}"
        return OrderAnswered(snapshot=snapshot(run), done=False, code=code, message=message)
    previous = _point_to(run, key, order)
    run.tell(
        EventType.PAYMENT_METHOD_CHANGED, "another card is charged", telling.payment_method(run, previous=previous)
    )
    await run.write("another card is charged", billing_key=key)
    answer = await _charge_or_register(run, stopped)
    if answer is None:
        return await _go_back(run, order, previous)
    if previous is not None:
        await _delete_when_nothing_can_charge_it(run, previous)
    return answer


async def _new_key(order: ChangePaymentMethod) -> tuple[BillingKeyFact | None, str | None, str | None]:
    key = await find_key(order.customer_uid)
    if order.vault_handle is None:
        return key, "billing_key_not_found", f"PortOne has no billing key for {order.customer_uid!r}"
    if key is not None:
        # Issuing again would put the new card under the old name and leave the old key alive at the PG.
        await discard_card(order.vault_handle)
        return None, "billing_key_exists", f"{order.customer_uid!r} already names a billing key"
    answer = await issue_key(
        IssueBillingKey(
            customer_uid=order.customer_uid,
            vault_handle=order.vault_handle,
            channel=order.channel,
            customer=order.customer,
        )
    )
    if answer.outcome is KeyOutcome.ISSUED:
        return answer.key or BillingKeyFact(order.customer_uid), None, None
    return None, f"billing_key_{answer.outcome.value}", answer.message or "the card was not accepted"


def _point_to(run: SubscriptionRun, key: BillingKeyFact, order: ChangePaymentMethod) -> str | None:
    state = run.state
    previous = run.customer_uid if state.has_card else None
    state.customer_uid = order.customer_uid
    state.channel = order.channel
    state.has_card = True
    state.card, state.pg_provider = key.label(), key.pg_provider
    state.hard_declined = False
    return previous


async def _charge_or_register(run: SubscriptionRun, stopped: arbiter.Stopped) -> OrderAnswered | None:
    """Let the open period be charged on the new key; None when PortOne will not have it there."""
    state = run.state
    if state.status in possible.OWING:
        planned = None if state.retries_over else state.due_at
        await arbiter.renumber(run, "another card")
        state.retries_over = False
        return await retrying.try_now(run, planned)
    await arbiter.plan_again(run, "another card")
    if stopped.charge is ChargeAtOrder.REVOKED and not consent_need.needs(run):
        refusal = await booking.register(run)
        if refusal is not None:
            state.last_failure = refusal
            return None
        await run.write(f"period {state.cycle} stands at PortOne on the new card")
    return OrderAnswered(
        snapshot=snapshot(run),
        charge=stopped.charge,
        merchant_uid=stopped.merchant_uid,
        charged=stopped.payment.amount if stopped.payment else None,
    )


async def _go_back(run: SubscriptionRun, order: ChangePaymentMethod, previous: str | None) -> OrderAnswered:
    """The new key cannot be scheduled: the old one is charged again, and the new one is gone."""
    state = run.state
    refusal = state.last_failure
    state.customer_uid, state.channel = previous, None
    key = await find_key(previous) if previous is not None else None
    state.has_card = key is not None
    state.card, state.pg_provider = (key.label(), key.pg_provider) if key else (None, None)
    run.tell(
        EventType.PAYMENT_METHOD_REFUSED,
        "the new card cannot be scheduled",
        telling.payment_method(run, previous=order.customer_uid, code="schedule_refused", reason=refusal),
    )
    await arbiter.renumber(run, "back to the old card")
    await _delete(order.customer_uid, "it could not be scheduled")
    return OrderAnswered(snapshot=snapshot(run), done=False, code="schedule_refused", message=refusal)


async def _delete_when_nothing_can_charge_it(run: SubscriptionRun, customer_uid: str) -> None:
    charged = await workflow.execute_activity_method(
        ScheduleActivities.has_open_schedules,
        customer_uid,
        summary=f"is anything scheduled on {customer_uid}",
        **policies.LOOK_UP,
    )
    if charged:
        # Somebody scheduled a charge there that is not ours: the key stays, and reconciliation reports the schedule.
        return
    await _delete(customer_uid, "replaced by another card")
    await run.write("the old key is deleted", deleted_billing_key=customer_uid)


async def _delete(customer_uid: str, reason: str) -> None:
    await workflow.execute_activity_method(
        BillingKeyActivities.delete_billing_key,
        DeleteBillingKey(customer_uid=customer_uid, reason=reason),
        summary=f"delete {customer_uid}",
        **policies.REPEATABLE,
    )
