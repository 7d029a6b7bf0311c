"""Every refusal of an order says what to do."""

import ast
from pathlib import Path

import pytest

from billing.domain import refusals
from workflows import cancellation, commands, deciding, possible

_CODE_AT = {"_need": 1, "_refused": 0}


def codes_of(module):
    """The codes that a module refuses orders with."""
    calls = [each for each in ast.walk(ast.parse(Path(module.__file__).read_text())) if isinstance(each, ast.Call)]
    named = [each for each in calls if isinstance(each.func, ast.Name) and each.func.id in _CODE_AT]
    codes = [each.args[_CODE_AT[each.func.id]] for each in named]
    return {code.value for code in codes if isinstance(code, ast.Constant)}


def test_every_code_that_an_order_is_refused_with_has_a_way_out_and_no_way_is_left_over():
    modules = (possible, deciding, commands, cancellation)
    assert set().union(*(codes_of(module) for module in modules)) == set(refusals.WAYS)


@pytest.mark.parametrize("module", [possible, deciding, commands])
def test_a_refusal_says_its_reason_and_then_what_to_do(module):
    for code in codes_of(module):
        error = module._refused(code, "the reason")
        assert (error.type, error.non_retryable) == (code, True)
        assert str(error).endswith(f"the reason; {refusals.WAYS[code]}")
