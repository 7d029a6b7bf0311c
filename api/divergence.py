"""Where code and a history part, in words that a developer can act on."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from api.fingerprint import Command, Task

_CONTEXT = 4


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first command at which the code does not do what the history says that it did.

    `reason` is one sentence; `diff` is a unified diff of the commands around it, each with the id of its event.
    """

    reason: str
    diff: str


def divergence(history: Sequence[Task], asked: Sequence[Task]) -> Divergence | None:
    """Compare what a history holds with what code asked for; None when they agree as far as both go.

    A replay stops at its first mistake, so what the code would have asked for later is not known.
    """
    answers = {task.event_id: task for task in asked}
    before: list[Command] = []
    for task in history:
        answer = answers.get(task.event_id)
        if answer is None:
            # A task that had nothing to do is not replayed; at one that had, the replay had stopped before.
            if task.commands:
                return None
            continue
        if answer.failure is not None:
            reason = f"the code failed in the workflow task of event {task.event_id}: {answer.failure}"
            return Divergence(reason, _diff(before, task.commands, []))
        if [command.key for command in task.commands] != [command.key for command in answer.commands]:
            return Divergence(_reason(task, answer), _diff(before, task.commands, answer.commands))
        before += task.commands
    return None


def _reason(task: Task, answer: Task) -> str:
    same = 0
    for ours, theirs in zip(answer.commands, task.commands, strict=False):
        if ours.key != theirs.key:
            break
        same += 1
    wanted = answer.commands[same] if same < len(answer.commands) else None
    stands = task.commands[same] if same < len(task.commands) else None
    if stands is None:
        where = task.commands[-1].event_id if task.commands else task.event_id
        return f"the code wanted {_named(wanted)} after event {where}, where the history has nothing more"
    if wanted is None:
        return f"the code wanted nothing more where the history has {_named(stands)} at event {stands.event_id}"
    return f"the code wanted {_named(wanted)} where the history has {_named(stands)} at event {stands.event_id}"


def _named(command: Command | None) -> str:
    if command is None:
        return "nothing"
    return f"activity {command}" if command.kind == "activity" else str(command)


def _diff(before: Sequence[Command], stands: Sequence[Command], wanted: Sequence[Command]) -> str:
    """A unified diff by key: a summary that was worded anew is no difference."""
    earlier = [_line(command) for command in before[-_CONTEXT:]]
    history, code = list(earlier), list(earlier)
    matcher = difflib.SequenceMatcher(
        None, [command.key for command in stands], [command.key for command in wanted], autojunk=False
    )
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        theirs = [_line(command) for command in stands[i1:i2]]
        history += theirs
        code += theirs if tag == "equal" else [_line(command) for command in wanted[j1:j2]]
    lines = difflib.unified_diff(history, code, "the history", "the code", n=_CONTEXT, lineterm="")
    return "\n".join(lines)


def _line(command: Command) -> str:
    return f"{command.event_id or '':>5}  {command}"
