"""A person decides about something that stands parked (billing.domain.parked says what each decision does).

PortOne is looked up before anything is decided: a decision never overrides a payment that is as ordered. A decision is
written down, with who and why, before it is carried out; one that cannot be carried out is refused and not written.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from billing.domain import refusals
from billing.domain.events import EventType
from billing.domain.parked import DECISIONS, ParkedKind
from billing.domain.refusals import Refusal, RefusedError, need
from billing.domain.subscription.answers import OrderAnswered
from billing.domain.subscription.decision import DecisionTaken
from billing.domain.subscription.parked_items import ParkedItem
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows.subscription import deciding
from workflows.subscription.commands.command import Command
from workflows.subscription.commands.texts import of_a_decision

NOTHING_PARKED = Refusal("nothing_parked", "GET /v1/parked shows what stands")
SEVERAL_PARKED = Refusal("several_parked", "name the parked_id (GET /v1/parked)")
NOT_ALLOWED = Refusal("not_allowed", "take one of these decisions")

_Work = Callable[[Subscription, Recording, DecisionTaken, ParkedItem], Awaitable[OrderAnswered | None]]


class Decide(DecisionTaken):
    """A person's decision about one thing that stands parked."""


def item_of(message: Decide, subscription: Subscription) -> ParkedItem:
    """What a decision is about.

    Raises:
        RefusedError: `nothing_parked`, `already_decided`, `several_parked`, or `not_allowed`.
    """
    items = subscription.state.parked.items
    if message.parked_id is None:
        need(bool(items), NOTHING_PARKED, "nothing stands parked")
        need(len(items) == 1, SEVERAL_PARKED, "several things stand parked")
    item = next((each for each in items if message.parked_id in (None, each.parked_id)), None)
    if item is None:
        why = "it stands no longer: somebody has decided, or it was found out meanwhile"
        raise RefusedError(deciding.ALREADY_DECIDED, why)
    allowed = DECISIONS[item.kind]
    words = ", ".join(each.value for each in allowed)
    need(message.decision in allowed, NOT_ALLOWED, f"allowed of {item.kind.value}: {words}")
    return item


def guard(message: Decide, subscription: Subscription, _now: datetime) -> None:
    """Refuse where it stands no longer, or this is not to be decided of it."""
    item_of(message, subscription)


async def work(subscription: Subscription, recording: Recording, message: Decide) -> OrderAnswered | None:
    """Carry a decision out; None where a charge or refunds are under way, and it is answered when they are over.

    Raises:
        RefusedError: what it was about stands no longer, or the decision cannot be carried out as things are.
    """
    item = item_of(message, subscription)
    if subscription.state.refunds.under_way:
        raise RefusedError(refusals.CHARGE_RUNNING, "what was decided before is being given back")
    return await _CARRY_OUT[item.kind](subscription, recording, message, item)


_CARRY_OUT: Mapping[ParkedKind, _Work] = MappingProxyType(
    {
        ParkedKind.CHARGE_MISMATCH: deciding.about_the_charge,
        ParkedKind.CHARGE_UNKNOWN: deciding.about_the_charge,
        ParkedKind.SCHEDULE_REVOKED: deciding.about_the_charge,
        ParkedKind.EARLIER_NUMBER_PAID: deciding.about_an_earlier_number,
        ParkedKind.REFUNDED_ELSEWHERE: deciding.about_a_refund_elsewhere,
        ParkedKind.CHANGE_MISMATCH: deciding.about_a_change,
    }
)


COMMAND = Command(
    name="decide",
    path="decide",
    summary="A person's decision about what stands parked, with who and why.",
    message=Decide,
    guard=guard,
    work=work,
    refusals=(
        NOTHING_PARKED,
        SEVERAL_PARKED,
        NOT_ALLOWED,
        deciding.ALREADY_DECIDED,
        deciding.NO_PAYMENT,
        deciding.CURRENCY_DIFFERS,
        refusals.CHARGE_RUNNING,
        refusals.CHARGE_MISMATCH,
        refusals.TOO_MANY_CHANGES,
    ),
    events=(EventType.SUBSCRIPTION_DECIDED,),
    faults=of_a_decision,
    before_the_start=lambda subscription: bool(subscription.state.parked.items),
)
