"""Another card: a new key, the open charge moved over to it, the old key deleted when nothing can charge it any more.

At no moment can both keys be charged: the open schedule is read back as revoked on the old key before anything is
registered on the new one. Whatever fails, the steps before it are taken back. Dies the worker between two steps, the
next one goes on with the step that is missing: what was revoked stays revoked, a number is registered once, and a key
is deleted after it was read that nothing is scheduled on it.
"""

from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from billing.domain import takeover
from billing.domain.events import EventType
from billing.domain.facts import BillingKeyFact
from billing.domain.outcomes import CARD_GONE, KeyOutcome
from billing.domain.states import CycleState
from billing.domain.subscription.answers import ChargeAtOrder, OrderAnswered
from billing.domain.subscription.records import Purpose
from billing.domain.subscription.start import PortOneChannel
from workflows import (
    consent_need,
    dunning,
    key_look,
    leaving,
    old_keys,
    pg_checks,
    policies,
    portone,
    possible,
    retrying,
    scheduling,
    stopping,
    telling,
)
from workflows.attempts import Proven
from workflows.contracts import IssueBillingKey
from workflows.issuing import NAME_TAKEN, discard_card, failure_code, issue_now, name_taken
from workflows.orders import ChangePaymentMethod
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun

REPLACED = "replaced by another card"
NOT_TAKEN = "it did not take the old card's place"


@dataclass(frozen=True, slots=True)
class _Method:
    """What is charged, as it is put back when another card cannot take its place."""

    customer_uid: str | None
    channel: PortOneChannel | None
    has_card: bool
    card: str | None
    pg_provider: str | None
    hard_declined: bool


@dataclass(frozen=True, slots=True)
class _Refused:
    code: str
    message: str


async def change(run: SubscriptionRun, order: ChangePaymentMethod) -> OrderAnswered | None:
    """Charge another key from now on; an unpaid period is tried with it at once."""
    if order.vault_handle is not None and order.channel == PortOneChannel():
        # A card is issued where the last one was, unless the order says where.
        order = order.model_copy(update={"channel": run.channel})
    key = await _new_key(run, order)
    if isinstance(key, _Refused):
        return await _refuse(run, key)
    refusal = pg_checks.of_key(run, key.pg_provider)
    if refusal is not None:
        await _delete_if_issued_here(run, order)
        return await _refuse(run, _Refused(refusal.code, refusal.detail))
    stopped = await _stopped(run, order)
    if stopped.charge is ChargeAtOrder.MISMATCH or stopped.unfinished:
        return await _leave_it(run, order, stopped)
    before = _method(run)
    previous = run.customer_uid if before.has_card else None
    _point_to(run, key, order)
    if previous is not None:
        old_keys.forget_with_the_next_step(run, previous)
    if run.state.status in possible.OWING:
        return await _try_at_once(run, key, previous)
    answer = await _move_over(run, key, stopped, previous)
    return await _go_back(run, order, before, answer) if isinstance(answer, _Refused) else answer


async def _stopped(run: SubscriptionRun, order: ChangePaymentMethod) -> stopping.Stopped:
    """What became of the open charge; where that is open, the new key is not charged, and does not stay.

    Raises:
        ApplicationError: `charge_unknown`.
    """
    try:
        stopped = await stopping.stop_the_charge(run)
        if scheduling.is_under_way(run):
            # The charge ran and was declined just now, and its retry would be scheduled on the old key.
            run.state.move(CycleState.REVOKED)
    except (ApplicationError, ActivityError):
        await _delete_if_issued_here(run, order)
        raise
    return stopped


async def _new_key(run: SubscriptionRun, order: ChangePaymentMethod) -> BillingKeyFact | _Refused:
    refused = None
    key = await portone.find_key(order.customer_uid)
    if await old_keys.belongs_to_another(order.customer_uid):
        refused = _Refused("billing_key_in_use", f"another subscription is charged by {order.customer_uid!r}")
    elif order.vault_handle is None and key is None:
        refused = _Refused("billing_key_not_found", f"PortOne has no billing key for {order.customer_uid!r}")
    elif order.vault_handle is not None and key is not None:
        # Issuing again would put the new card under the old name and leave the old key alive at the PG.
        refused = _Refused(NAME_TAKEN, name_taken(order.customer_uid))
    if refused is not None and order.vault_handle is not None:
        await discard_card(order.vault_handle)
    if refused is not None or order.vault_handle is None:
        return refused or await _charged_by_nobody(run, order.customer_uid) or key or BillingKeyFact(order.customer_uid)
    answer = await issue_now(
        run,
        IssueBillingKey(
            customer_uid=order.customer_uid,
            vault_handle=order.vault_handle,
            channel=order.channel,
            customer=order.customer,
        ),
    )
    if answer.outcome is KeyOutcome.ISSUED:
        return answer.key or BillingKeyFact(order.customer_uid)
    return _Refused(failure_code(answer.outcome), answer.message or "the card was not accepted")


async def _charged_by_nobody(run: SubscriptionRun, customer_uid: str) -> _Refused | None:
    """Why a key that was issued before cannot be charged from now on: charges stand on it that are not this one's.

    What an ended life of ours left there is taken back, and refuses the key only where that cannot be proven.
    """
    life = key_look.Life(run.start.subscription_id, run.start.customer_uid)
    on_key = await key_look.scheduled_on(customer_uid, policies.ASK, life)
    if on_key.open:
        refusal = takeover.TakeOverRefusal.SCHEDULED
        why = takeover.in_words(takeover.REFUSALS[refusal], [takeover.of_schedule(row) for row in on_key.open])
        return _Refused(refusal.value, why)
    if not on_key.left:
        return None
    standing = [key_look.told(back) for back in await leaving.take_ours_back(run, on_key.left)]
    if not standing:
        return None
    why = "a charge that an ended subscription left on this billing key could not be proven taken back"
    return _Refused(takeover.TakeOverRefusal.NOT_REVOKED.value, takeover.in_words(why, standing))


async def _refuse(run: SubscriptionRun, refused: _Refused) -> OrderAnswered:
    """No key came of it: nothing else has changed, and what is scheduled stays scheduled."""
    if refused.code == CARD_GONE:
        # Nobody has refused the card: there is nothing to announce.
        return OrderAnswered(snapshot=snapshot(run), done=False, code=refused.code, message=refused.message)
    told = telling.payment_method(run, code=refused.code, reason=refused.message)
    run.tell(EventType.PAYMENT_METHOD_REFUSED, "a new card was refused", told)
    await run.write("the new card was refused")
    return OrderAnswered(snapshot=snapshot(run), done=False, code=refused.code, message=refused.message)


async def _leave_it(run: SubscriptionRun, order: ChangePaymentMethod, stopped: stopping.Stopped) -> OrderAnswered:
    """The open charge is neither paid nor proven unpaid: no other key may be charged for its period."""
    refused = _Refused("charge_mismatch", "the next charge ran first and is not as ordered; decide that first")
    if stopped.unfinished:
        refused = _Refused("charge_unfinished", "PortOne has not finished an earlier payment of the open period")
        await retrying.plan_as_before(run)
    await _delete_if_issued_here(run, order)
    return await _refuse(run, refused)


def _method(run: SubscriptionRun) -> _Method:
    state = run.state
    return _Method(
        customer_uid=state.customer_uid,
        channel=state.channel,
        has_card=state.has_card,
        card=state.card,
        pg_provider=state.pg_provider,
        hard_declined=state.hard_declined,
    )


def _point_to(run: SubscriptionRun, key: BillingKeyFact, order: ChangePaymentMethod) -> None:
    state = run.state
    state.customer_uid, state.channel = order.customer_uid, order.channel
    state.has_card = True
    state.card, state.pg_provider = key.label(), key.pg_provider
    state.hard_declined = False


def _tell(run: SubscriptionRun, previous: str | None) -> None:
    told = telling.payment_method(run, previous=previous)
    run.tell(EventType.PAYMENT_METHOD_CHANGED, "another card is charged", told)


async def _try_at_once(run: SubscriptionRun, key: BillingKeyFact, previous: str | None) -> OrderAnswered | None:
    """Charge the unpaid period on the new key; the retries that were planned go on with it."""
    state = run.state
    planned = None if state.retries_over else state.due_at
    _tell(run, previous)
    await run.write("another card is charged", billing_key=key)
    await stopping.renumber(run, "another card")
    allowed_at = await dunning.card_may_be_tried_at(run, workflow.now())
    if allowed_at > workflow.now():
        # The same card under another name, say: it was tried as often as the schemes allow.
        state.retries_over, state.due_at = False, max(allowed_at, planned or allowed_at)
        dunning.note_where_it_stands(run, state.due_at)
        await run.write(f"the new card was tried too often: the attempt waits until {run.local(state.due_at)}")
        return OrderAnswered(snapshot=snapshot(run))
    await retrying.try_now(run, planned, Purpose.CARD)
    return None


async def tried(run: SubscriptionRun, proven: Proven) -> OrderAnswered:
    """The unpaid period was tried on the new key: the card is changed whatever became of it, which is told beside."""
    answer = await retrying.tried(run, proven)
    return answer.model_copy(update={"done": True, "code": None})


async def _move_over(
    run: SubscriptionRun, key: BillingKeyFact, stopped: stopping.Stopped, previous: str | None
) -> OrderAnswered | _Refused:
    """Let the open period be charged on the new key; refused when PortOne will not have it there."""
    if stopped.charge is not ChargeAtOrder.REVOKED:
        _tell(run, previous)
    await run.write("another card is charged", billing_key=key)
    run.state.plans_again = "another card"
    await stopping.plan_again(run)
    if stopped.charge is ChargeAtOrder.REVOKED:
        if not consent_need.needs(run) and run.charging and run.state.cycle_state is CycleState.PLANNED:
            scheduling.begin(run)
            tried = await scheduling.try_once(run)
            if tried.refusal is not None:
                return _Refused("schedule_refused", tried.refusal)
        _tell(run, previous)
        await run.write(f"period {run.state.cycle} is charged by the new card")
    return OrderAnswered(
        snapshot=snapshot(run),
        charge=stopped.charge,
        merchant_uid=stopped.merchant_uid,
        charged=stopped.payment.amount if stopped.payment else None,
    )


async def _go_back(
    run: SubscriptionRun, order: ChangePaymentMethod, before: _Method, refused: _Refused
) -> OrderAnswered:
    """The new key cannot be scheduled: the old one is charged again, and a key that was issued here is gone."""
    state = run.state
    state.customer_uid, state.channel = before.customer_uid, before.channel
    state.has_card, state.card, state.pg_provider = before.has_card, before.card, before.pg_provider
    state.hard_declined = before.hard_declined
    state.left_keys = [key for key in state.left_keys if key != run.customer_uid]
    await stopping.renumber(run, "back to the old card")
    await _delete_if_issued_here(run, order)
    return await _refuse(run, refused)


async def _delete_if_issued_here(run: SubscriptionRun, order: ChangePaymentMethod) -> None:
    """A key from the window was there before the order, and stays."""
    if order.vault_handle is not None:
        await old_keys.delete(run, order.customer_uid, NOT_TAKEN)
