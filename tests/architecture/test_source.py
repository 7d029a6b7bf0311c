"""House rules that no linter knows: sizes, names, docstrings."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
VAGUE_NAMES = {"base", "common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


PRODUCT = [*_files("workflows", "activities", "api", "billing", "docs"), ROOT / "worker.py", ROOT / "gudok_pytest.py"]
EVERYTHING = [*PRODUCT, *_files("tests", "bench", "chaos")]
TREES = {path: ast.parse(path.read_text()) for path in EVERYTHING}


def _where(path: Path, node: Function | ast.ClassDef) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


def too_long(tree: ast.Module) -> Iterator[Function]:
    """Functions over the limit, from `def` to their last line."""
    for node in ast.walk(tree):
        if isinstance(node, Function) and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES:
            yield node


def undocumented(body: list[ast.stmt]) -> Iterator[Function | ast.ClassDef]:
    """Public classes, functions and methods without a docstring; an overload is documented by what it overloads."""
    for node in body:
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        marks = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
        if ast.get_docstring(node) is None and not marks & {"overload", "setter"}:
            yield node
        if isinstance(node, ast.ClassDef):
            yield from undocumented(node.body)


def test_there_is_something_to_look_at() -> None:
    assert len(PRODUCT) > 20
    assert Path(__file__).resolve() in EVERYTHING


def test_files_stay_readable_in_one_sitting() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in EVERYTHING}
    assert {path: n for path, n in lines.items() if n > MAX_FILE_LINES} == {}


def test_functions_stay_on_one_screen() -> None:
    assert [_where(path, node) for path, tree in TREES.items() for node in too_long(tree)] == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    parts = {path: {*path.relative_to(ROOT).parent.parts, path.stem} for path in EVERYTHING}
    assert [str(path) for path, names in parts.items() if names & VAGUE_NAMES] == []


def test_everything_public_says_what_it_promises() -> None:
    told = [path for path in PRODUCT if "migrations" not in path.parts]  # upgrade and downgrade are Alembic's words
    assert [_where(path, node) for path in told for node in undocumented(TREES[path].body)] == []


def test_every_module_of_the_product_says_what_it_is() -> None:
    assert [str(p.relative_to(ROOT)) for p in PRODUCT if TREES[p].body and not ast.get_docstring(TREES[p])] == []


@pytest.mark.parametrize("body_lines", [MAX_FUNCTION_LINES - 1, MAX_FUNCTION_LINES])
def test_the_size_rule_can_fail(body_lines: int) -> None:
    tree = ast.parse("def f():\n" + "    1\n" * body_lines)
    assert bool(list(too_long(tree))) is (body_lines == MAX_FUNCTION_LINES)


def test_the_docstring_rule_can_fail() -> None:
    source = 'class A:\n    """A."""\n    def told(self): "Told."\n    def untold(self): ...\n    def _own(self): ...\n'
    assert [node.name for node in undocumented(ast.parse(source).body)] == ["untold"]
