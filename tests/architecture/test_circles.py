"""No circle of imports among the decisions and the rules, not even one for types alone."""

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

DECIDING = ("workflows", "billing.domain")


def in_order(imports):
    """The modules, each after those that it imports.

    Raises:
        CycleError: a circle, with the modules in it.
    """
    return list(TopologicalSorter(imports).static_order())


def test_what_decides_is_imported_in_no_circle_and_for_no_type_alone():
    graph = grimp.build_graph("workflows", "billing", cache_dir=None)
    modules = {module for module in graph.modules if module.startswith(DECIDING)}
    imports = {module: graph.find_modules_directly_imported_by(module) & modules for module in modules}
    assert len(in_order(imports)) > 150


def test_a_circle_is_told():
    with pytest.raises(CycleError):
        in_order({"a": {"b"}, "b": {"c"}, "c": {"a"}})
