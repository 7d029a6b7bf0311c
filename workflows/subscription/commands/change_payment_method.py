"""Another card: a new key, the open charge moved over to it, the old key deleted when nothing can charge it any more.

At no moment can both keys be charged: the open schedule is read back as revoked on the old key before anything is
registered on the new one. Whatever fails, the steps before it are taken back. Dies the worker between two steps, the
next one goes on with the step that is missing: what was revoked stays revoked, a number is registered once, and a key
is deleted after it was read that nothing is scheduled on it.
"""

from dataclasses import dataclass
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError

from billing.domain import refusals, takeover
from billing.domain.customer_uid import is_valid_customer_uid
from billing.domain.events import EventType
from billing.domain.facts import BillingKeyFact
from billing.domain.message import Message
from billing.domain.outcomes import CARD_GONE, KeyOutcome
from billing.domain.records import Customer
from billing.domain.refusals import Refusal, RefusedError, need
from billing.domain.states import CycleState
from billing.domain.subscription import (
    consent_need,
    dunning,
    payloads,
    pg_fit,
    scheduling,
)
from billing.domain.subscription.answers import ChargeAtOrder, OrderAnswered
from billing.domain.subscription.in_flight import Purpose
from billing.domain.subscription.payment_method import PaymentMethod
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.start import PortOneChannel
from billing.domain.subscription.subscription import Subscription
from workflows import policies
from workflows.billing_key import key_look, old_keys
from workflows.billing_key.issuing import NAME_TAKEN, discard_card, failure_code, issue_now, name_taken
from workflows.charge import declines, portone, registering, retrying, stopping
from workflows.charge.attempts import Proven
from workflows.contracts import IssueBillingKey
from workflows.subscription import left_on_key
from workflows.subscription.commands.command import OWING, Command, Fault, has_numbers_left, is_not_parked

SAME_BILLING_KEY = Refusal("same_billing_key", "bring another card, or POST …/retry to charge this one")


class ChangePaymentMethod(Message):
    """Charge another card from now on, under a customer_uid of its own.

    `vault_handle` names the card in the one-time vault; None means that the key was issued in the SDK window.
    """

    customer_uid: str
    vault_handle: str | None = None
    channel: PortOneChannel = PortOneChannel()
    customer: Customer = Customer()


def guard(message: ChangePaymentMethod, subscription: Subscription, _now: datetime) -> None:
    """Refuse the key that is charged already, and any while the open period waits for a person."""
    same = subscription.state.method.is_there and message.customer_uid == subscription.terms.customer_uid
    need(not same, SAME_BILLING_KEY, "this key is the one that is charged already")
    is_not_parked(subscription)
    has_numbers_left(subscription)
    pg_fit.check_channel(subscription, message.channel.pg)


def faults(message: ChangePaymentMethod) -> list[Fault]:
    """What lies beyond a bound."""
    valid = is_valid_customer_uid(message.customer_uid)
    return [("customer_uid", None if valid else "is no name of a billing key")]


REPLACED = "replaced by another card"
NOT_TAKEN = "it did not take the old card's place"


@dataclass(frozen=True, slots=True)
class _Refused:
    code: str
    message: str


async def work(subscription: Subscription, recording: Recording, message: ChangePaymentMethod) -> OrderAnswered | None:
    """Charge another key from now on; an unpaid period is tried with it at once."""
    if message.vault_handle is not None and message.channel == PortOneChannel():
        # A card is issued where the last one was, unless the message says where.
        message = message.model_copy(update={"channel": subscription.terms.channel})
    key = await _new_key(subscription, recording, message)
    if isinstance(key, _Refused):
        return _refuse(subscription, recording, workflow.now(), key)
    refusal = pg_fit.of_key(subscription, key.pg_provider)
    if refusal is not None:
        await _delete_if_issued_here(subscription, recording, message)
        return _refuse(subscription, recording, workflow.now(), _Refused(refusal.code, refusal.detail))
    stopped = await _stopped(subscription, recording, message)
    if stopped.charge is ChargeAtOrder.MISMATCH or stopped.unfinished:
        return await _leave_it(subscription, recording, message, stopped)
    before, hard_declined = subscription.state.method.model_copy(), subscription.state.arrears.hard_declined
    previous = subscription.terms.customer_uid if before.is_there else None
    _point_to(subscription, key, message)
    if previous is not None:
        subscription.state.forget_key(previous)
    if subscription.state.status in OWING:
        return await _try_at_once(subscription, recording, key, previous)
    answer = await _move_over(subscription, recording, key, stopped, previous)
    if isinstance(answer, _Refused):
        return await _go_back(subscription, recording, message, before, answer, hard_declined=hard_declined)
    return answer


async def _stopped(subscription: Subscription, recording: Recording, message: ChangePaymentMethod) -> stopping.Stopped:
    """What became of the open charge; where that is open, the new key is not charged, and does not stay.

    Raises:
        RefusedError: `charge_unknown`.
    """
    try:
        stopped = await stopping.stop_the_charge(subscription, recording)
        if scheduling.is_under_way(subscription):
            # The charge ran and was declined just now, and its retry would be scheduled on the old key.
            subscription.state.period.move(CycleState.REVOKED)
    except (RefusedError, ActivityError):
        await _delete_if_issued_here(subscription, recording, message)
        raise
    return stopped


async def _new_key(
    subscription: Subscription, recording: Recording, message: ChangePaymentMethod
) -> BillingKeyFact | _Refused:
    refused = None
    key = await portone.find_key(message.customer_uid)
    if await old_keys.belongs_to_another(recording, message.customer_uid):
        refused = _Refused("billing_key_in_use", f"another subscription is charged by {message.customer_uid!r}")
    elif message.vault_handle is None and key is None:
        refused = _Refused("billing_key_not_found", f"PortOne has no billing key for {message.customer_uid!r}")
    elif message.vault_handle is not None and key is not None:
        # Issuing again would put the new card under the old name and leave the old key alive at the PG.
        refused = _Refused(NAME_TAKEN, name_taken(message.customer_uid))
    if refused is not None and message.vault_handle is not None:
        await discard_card(message.vault_handle)
    if refused is not None or message.vault_handle is None:
        return (
            refused
            or await _charged_by_nobody(subscription, recording, message.customer_uid)
            or key
            or BillingKeyFact(message.customer_uid)
        )
    answer = await issue_now(
        subscription,
        recording,
        IssueBillingKey(
            customer_uid=message.customer_uid,
            vault_handle=message.vault_handle,
            channel=message.channel,
            customer=message.customer,
        ),
    )
    if answer.outcome is KeyOutcome.ISSUED:
        return answer.key or BillingKeyFact(message.customer_uid)
    return _Refused(failure_code(answer.outcome), answer.message or "the card was not accepted")


async def _charged_by_nobody(subscription: Subscription, recording: Recording, customer_uid: str) -> _Refused | None:
    """Why a key that was issued before cannot be charged from now on: charges stand on it that are not this one's.

    What an ended life of ours left there is taken back, and refuses the key only where that cannot be proven.
    """
    life = key_look.Life(subscription.start.subscription_id, subscription.start.customer_uid)
    on_key = await key_look.scheduled_on(customer_uid, policies.ASK, life)
    if on_key.open:
        refusal = takeover.TakeOverRefusal.SCHEDULED
        why = takeover.in_words(takeover.REFUSALS[refusal], [takeover.of_schedule(row) for row in on_key.open])
        return _Refused(refusal.value, why)
    if not on_key.left:
        return None
    standing = [key_look.told(back) for back in await left_on_key.take_ours_back(subscription, recording, on_key.left)]
    if not standing:
        return None
    why = "a charge that an ended subscription left on this billing key could not be proven taken back"
    return _Refused(takeover.TakeOverRefusal.NOT_REVOKED.value, takeover.in_words(why, standing))


def _refuse(subscription: Subscription, recording: Recording, now: datetime, refused: _Refused) -> OrderAnswered:
    """No key came of it: nothing else has changed, and what is scheduled stays scheduled."""
    if refused.code == CARD_GONE:
        # Nobody has refused the card: there is nothing to announce.
        return OrderAnswered(done=False, code=refused.code, message=refused.message)
    told = payloads.payment_method(subscription, code=refused.code, reason=refused.message)
    recording.emit(EventType.PAYMENT_METHOD_REFUSED, "a new card was refused", told, now)
    recording.write("the new card was refused", now)
    return OrderAnswered(done=False, code=refused.code, message=refused.message)


async def _leave_it(
    subscription: Subscription, recording: Recording, message: ChangePaymentMethod, stopped: stopping.Stopped
) -> OrderAnswered:
    """The open charge is neither paid nor proven unpaid: no other key may be charged for its period."""
    refused = _Refused("charge_mismatch", "the next charge ran first and is not as ordered; decide that first")
    if stopped.unfinished:
        refused = _Refused("charge_unfinished", "PortOne has not finished an earlier payment of the open period")
        retrying.plan_as_before(subscription, recording, workflow.now())
    await _delete_if_issued_here(subscription, recording, message)
    return _refuse(subscription, recording, workflow.now(), refused)


def _point_to(subscription: Subscription, key: BillingKeyFact, message: ChangePaymentMethod) -> None:
    state = subscription.state
    state.method.point_to(message.customer_uid, message.channel, key)
    state.arrears.another_card()


def _tell(subscription: Subscription, recording: Recording, now: datetime, previous: str | None) -> None:
    told = payloads.payment_method(subscription, previous=previous)
    recording.emit(EventType.PAYMENT_METHOD_CHANGED, "another card is charged", told, now)


async def _try_at_once(
    subscription: Subscription, recording: Recording, key: BillingKeyFact, previous: str | None
) -> OrderAnswered | None:
    """Charge the unpaid period on the new key; the retries that were planned go on with it."""
    state = subscription.state
    planned = None if state.arrears.retries_over else state.period.due_at
    _tell(subscription, recording, workflow.now(), previous)
    recording.write("another card is charged", workflow.now(), billing_key=key)
    scheduling.renumber(subscription, recording, workflow.now(), "another card")
    allowed_at = await declines.card_may_be_tried_at(subscription, recording, workflow.now())
    if allowed_at > workflow.now():
        # The same card under another name, say: it was tried as often as the schemes allow.
        state.arrears.an_attempt_is_planned()
        state.period.is_due(max(allowed_at, planned or allowed_at))
        dunning.note_where_it_stands(subscription, state.period.due_at)
        when = subscription.terms.local(state.period.due_at)
        recording.write(f"the new card was tried too often: the attempt waits until {when}", workflow.now())
        return OrderAnswered()
    retrying.try_now(subscription, recording, workflow.now(), planned, Purpose.CARD)
    return None


async def tried(subscription: Subscription, recording: Recording, proven: Proven) -> OrderAnswered:
    """The unpaid period was tried on the new key: the card is changed whatever became of it, which is told beside."""
    answer = await retrying.tried(subscription, recording, proven)
    return answer.model_copy(update={"done": True, "code": None})


async def _move_over(
    subscription: Subscription,
    recording: Recording,
    key: BillingKeyFact,
    stopped: stopping.Stopped,
    previous: str | None,
) -> OrderAnswered | _Refused:
    """Let the open period be charged on the new key; refused when PortOne will not have it there."""
    if stopped.charge is not ChargeAtOrder.REVOKED:
        _tell(subscription, recording, workflow.now(), previous)
    recording.write("another card is charged", workflow.now(), billing_key=key)
    subscription.state.period.plan_again("another card")
    await stopping.plan_again(subscription, recording)
    if stopped.charge is ChargeAtOrder.REVOKED:
        if (
            not consent_need.needs(subscription)
            and subscription.terms.charging
            and subscription.state.period.state is CycleState.PLANNED
        ):
            scheduling.begin(subscription)
            tried = await registering.try_once(subscription, recording)
            if tried.refusal is not None:
                return _Refused("schedule_refused", tried.refusal)
        _tell(subscription, recording, workflow.now(), previous)
        recording.write(f"period {subscription.state.period.cycle} is charged by the new card", workflow.now())
    return OrderAnswered(
        charge=stopped.charge,
        merchant_uid=stopped.merchant_uid,
        charged=stopped.payment.amount if stopped.payment else None,
    )


async def _go_back(
    subscription: Subscription,
    recording: Recording,
    message: ChangePaymentMethod,
    before: PaymentMethod,
    refused: _Refused,
    *,
    hard_declined: bool,
) -> OrderAnswered:
    """The new key cannot be scheduled: the old one is charged again, and a key that was issued here is gone."""
    state = subscription.state
    state.method.go_back_to(before)
    state.arrears.another_card(hard_declined=hard_declined)
    state.old_keys.keep(subscription.terms.customer_uid)
    scheduling.renumber(subscription, recording, workflow.now(), "back to the old card")
    await _delete_if_issued_here(subscription, recording, message)
    return _refuse(subscription, recording, workflow.now(), refused)


async def _delete_if_issued_here(
    subscription: Subscription, recording: Recording, message: ChangePaymentMethod
) -> None:
    """A key from the window was there before the message, and stays."""
    if message.vault_handle is not None:
        await old_keys.delete(subscription, recording, message.customer_uid, NOT_TAKEN)


COMMAND = Command(
    name="change_payment_method",
    path="payment-method",
    summary="Charge another card from now on; an unpaid period is tried with it at once.",
    message=ChangePaymentMethod,
    guard=guard,
    work=work,
    refusals=(SAME_BILLING_KEY, refusals.PARKED, refusals.TOO_MANY_CHANGES),
    events=(EventType.PAYMENT_METHOD_CHANGED, EventType.PAYMENT_METHOD_REFUSED),
    faults=faults,
)
