"""The key that an ended subscription left under a customer_uid, when its buyer comes back with a card.

PortOne would put the new card under the old name and leave the old key alive at the PG, where nobody could reach it any
more. So a key that is known to be our own and that nothing will charge is deleted first, and is read as gone; any other
key is left alone, and the refusal says which call helps. What if the run dies here? Every step is a look-up, or a
deletion that does nothing the second time; no key at all refuses no later start.
"""

from dataclasses import dataclass

from temporalio import workflow

from billing.domain import calls, takeover
from billing.domain.calls import CallKind
from billing.domain.facts import BillingKeyFact
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from billing.domain.takeover import REFUSALS, Standing, TakeOverRefusal
from workflows import policies
from workflows.billing_key import key_look
from workflows.billing_key.issuing import NAME_TAKEN, name_taken
from workflows.charge import portone
from workflows.ports import LedgerActivities
from workflows.subscription import left_on_key
from workflows.subscription.ledger import record

REASON = "a new subscription begins with another card"


@dataclass(frozen=True, slots=True)
class InTheWay:
    """Why a name cannot be given to another card: a stable code, words, and what stands on its key."""

    code: str
    reason: str
    standing: tuple[Standing, ...] = ()


async def clear_the_name(subscription: Subscription, recording: Recording, key: BillingKeyFact) -> InTheWay | None:
    """Delete the key that stands under the name of this start; None when the name is free for another card.

    Only a key that the ledger knows as the very one an ended subscription charged, of a PG that issues keys by card,
    and only when nothing is scheduled on it any more.
    """
    name = subscription.start.customer_uid
    taken = InTheWay(NAME_TAKEN, name_taken(name))
    if not await _is_left_by_an_ended_life(recording, key):
        return taken
    standing = await _still_standing(subscription, recording)
    if standing:
        why = takeover.in_words(REFUSALS[TakeOverRefusal.SCHEDULED], standing)
        return InTheWay(TakeOverRefusal.SCHEDULED.value, f"{why}; {taken.reason}", standing)
    await portone.delete_key(subscription, recording, name, REASON)
    if await portone.find_key(name) is not None or calls.on_their_way(
        subscription.state.in_flight.calls, name, {CallKind.DELETE_KEY}
    ):
        # A call to delete it that was not answered would, done late, delete the new card's key.
        return taken
    recording.write("the key of the ended subscription is deleted", workflow.now(), deleted_billing_key=name)
    return None


async def _is_left_by_an_ended_life(recording: Recording, key: BillingKeyFact) -> bool:
    # What the ledger is asked about is written there first.
    await record(recording)
    return await workflow.execute_activity_method(
        LedgerActivities.is_left_by_an_ended_life,
        args=[key, workflow.info().workflow_id],
        summary=f"whose key is {key.customer_uid}",
        **policies.LEDGER,
    )


async def _still_standing(subscription: Subscription, recording: Recording) -> tuple[Standing, ...]:
    """What is scheduled on the key: what an earlier life of ours left is taken back, and settled as that life's."""
    life = key_look.Life(subscription.start.subscription_id, subscription.start.customer_uid)
    on_key = await key_look.scheduled_on(subscription.start.customer_uid, policies.ASK, life)
    standing = [takeover.of_schedule(row) for row in on_key.open]
    if standing:
        return tuple(standing)
    return tuple(key_look.told(back) for back in await left_on_key.take_ours_back(subscription, recording, on_key.left))
