"""One update for each command: a handler that leaves it for the loop, a validator that refuses it at the door."""

from typing import Any

from temporalio import workflow

from billing.domain.subscription.subscription import Subscription
from workflows.subscription.commands import registry
from workflows.subscription.commands.command import Command
from workflows.subscription.desk import Desk


class CommandHandlers:
    """The updates of a subscription's commands.

    A refused command leaves no event in the history; what passes the validator is checked again when the loop gets to
    it.
    """

    _subscription: Subscription
    _desk: Desk


def _update(command: Command[Any]) -> Any:
    async def handle(self: CommandHandlers, message: Any) -> Any:
        return await self._desk.place(message)

    def check(self: CommandHandlers, message: Any) -> None:
        registry.check_at_the_door(message, self._subscription, workflow.now())

    handle.__name__ = command.name
    handle.__qualname__ = f"CommandHandlers.{command.name}"
    handle.__doc__ = command.summary
    for function in (handle, check):
        # The SDK decodes what the annotations say, and takes an annotated `self` for an argument.
        function.__annotations__.pop("self")
        function.__annotations__["message"] = command.message
    handle.__annotations__["return"] = command.answers
    update = workflow.update(name=command.name, description=command.summary)(handle)
    update.validator(check)
    return update


for _command in registry.COMMANDS:
    setattr(CommandHandlers, _command.name, _update(_command))
