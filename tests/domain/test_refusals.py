"""Every refusal of a command says what to do, and every command lists what it is refused with."""

import ast
import inspect

import pytest

from billing.domain import refusals
from billing.domain.refusals import Refusal, RefusedError, need
from workflows.subscription import deciding
from workflows.subscription.commands import command, registry


def refused_in(module):
    """The refusals that a module names where it refuses."""
    calls = [each for each in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(each, ast.Call)]
    named = [each for each in calls if isinstance(each.func, ast.Name) and each.func.id in ("need", "RefusedError")]
    found = (meant(ast.unparse(arg), module) for each in named for arg in each.args[:2])
    return {each for each in found if isinstance(each, Refusal)}


def meant(words, module):
    """What a dotted name means in a module; None where it is no name of it."""
    first, *more = words.split(".")
    value = vars(module).get(first)
    for each in more:
        value = getattr(value, each, None)
    return value


SHARED = {"is_not_parked": refusals.PARKED, "has_numbers_left": refusals.TOO_MANY_CHANGES}


@pytest.mark.parametrize("each", registry.COMMANDS, ids=lambda each: each.name)
def test_a_command_lists_every_refusal_that_its_file_names(each):
    module = inspect.getmodule(each.work)
    source = inspect.getsource(inspect.getmodule(each.guard))
    shared = {refusal for name, refusal in SHARED.items() if f"{name}(" in source}
    named = refused_in(inspect.getmodule(each.guard)) | refused_in(module) | shared
    if each.name == "decide":
        named |= refused_in(deciding)
    # What stopping the charge, or an ended subscription, is refused with concerns every command.
    assert named - set(refusals.AT_ANY_TIME) <= set(each.refusals)
    assert set(each.refusals) <= named | {refusals.CHARGE_RUNNING}


def test_every_refusal_has_a_way_out_and_a_code_means_one_thing():
    ways = {}
    for each in registry.COMMANDS:
        for refusal in (*each.refusals, *refusals.AT_ANY_TIME):
            assert refusal.way or refusal is refusals.OUT_OF_BOUNDS
            assert (refusal.field is not None) == (refusal.status == 422)
            ways.setdefault(refusal.code, set()).add(refusal)
    assert [code for code, meant in ways.items() if len(meant) > 1] == []


def test_a_refusal_says_its_reason_and_then_what_to_do():
    with pytest.raises(RefusedError, match=r"^the reason; decide that first"):
        need(False, refusals.PARKED, "the reason")
    need(True, refusals.PARKED, "the reason")


def test_a_message_that_no_command_has_can_neither_be_checked_nor_carried_out():
    with pytest.raises(KeyError):
        registry.command_of(command.OrderAnswered())


def test_every_command_has_a_name_and_a_path_of_its_own():
    assert len({each.name for each in registry.COMMANDS}) == len(registry.COMMANDS)
    assert len({each.path for each in registry.COMMANDS}) == len(registry.COMMANDS)
