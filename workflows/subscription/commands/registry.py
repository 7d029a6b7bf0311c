"""Every command of a subscription: handler, validator, loop, route and docs are driven by this one list."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from billing.domain import refusals
from billing.domain.message import Message
from billing.domain.refusals import RefusedError, need
from billing.domain.states import ENDED, SubscriptionStatus
from billing.domain.subscription.subscription import Subscription
from workflows.subscription.commands import (
    answer_consent,
    cancel,
    cancel_change,
    change_payment_method,
    change_plan,
    change_trial,
    decide,
    pause,
    resume,
    retry,
    skip,
    undo_cancel,
    undo_skip,
)
from workflows.subscription.commands.command import Command, is_within_bounds
from workflows.subscription.commands.failures import as_failure

COMMANDS: tuple[Command[Any], ...] = (
    cancel.COMMAND,
    undo_cancel.COMMAND,
    pause.COMMAND,
    resume.COMMAND,
    skip.COMMAND,
    undo_skip.COMMAND,
    change_plan.COMMAND,
    cancel_change.COMMAND,
    change_trial.COMMAND,
    change_payment_method.COMMAND,
    retry.COMMAND,
    answer_consent.COMMAND,
    decide.COMMAND,
)

BY_NAME: Mapping[str, Command[Any]] = MappingProxyType({each.name: each for each in COMMANDS})
_BY_MESSAGE: Mapping[type[Message], Command[Any]] = MappingProxyType({each.message: each for each in COMMANDS})


def command_of(message: Message) -> Command[Any]:
    """The command that a message is of.

    Raises:
        KeyError: none: a message that nobody has listed can neither be checked nor carried out.
    """
    return _BY_MESSAGE[type(message)]


def check(message: Message, subscription: Subscription, now: datetime) -> None:
    """Refuse a command that makes no sense at this moment.

    Raises:
        RefusedError: with the code of what stands in its way.
    """
    command, status = command_of(message), subscription.state.status
    if status in ENDED and not command.after_the_end(subscription):
        raise RefusedError(refusals.ENDED, f"the subscription is {status.value}")
    begun = status is not SubscriptionStatus.INCOMPLETE or command.before_the_start(subscription)
    need(begun, refusals.NOT_BEGUN, "the first charge is not settled yet")
    if status not in ENDED:
        command.guard(message, subscription, now)


def check_at_the_door(message: Message, subscription: Subscription, now: datetime) -> None:
    """Refuse a command before it is in the history: one that makes no sense, or carries what lies beyond a bound.

    Raises:
        ApplicationError: its type is the stable code.
    """
    try:
        is_within_bounds(command_of(message).faults(message))
        check(message, subscription, now)
    except RefusedError as refused:
        raise as_failure(refused) from None
