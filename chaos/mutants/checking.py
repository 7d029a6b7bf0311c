"""Whether the mutants still fit the tree: each text is there once, and each catcher is a test of `make test`."""

import ast
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from chaos.mutants.mutant import Mutant

NO_CATCHERS = ("tests/replay/", "tests/domain/", "tests/architecture/", "tests/settings/")
"""Tests of another kind: a history that differs, one function, a text. A sabotage must be noticed by what it does."""


def stale(root: Path, mutants: Sequence[Mutant]) -> list[str]:
    """What does not fit any more, one sentence for each: after code has moved, or a test was renamed."""
    counts = Counter(mutant.name for mutant in mutants)
    return [
        *(f"{name}: {count} mutants have this name" for name, count in counts.items() if count > 1),
        *(sentence for mutant in mutants for sentence in (text_is_gone(root, mutant), catcher_is_gone(root, mutant))
          if sentence is not None),
    ]  # fmt: skip


def text_is_gone(root: Path, mutant: Mutant) -> str | None:
    """Why the sabotage cannot be applied, or None."""
    file = root / mutant.file
    if not file.is_file():
        return f"{mutant.name}: there is no {mutant.file}"
    if mutant.replacement == mutant.text:
        return f"{mutant.name}: it changes nothing"
    count = file.read_text().count(mutant.text)
    return None if count == 1 else f"{mutant.name}: its text stands {count} times in {mutant.file}"


def catcher_is_gone(root: Path, mutant: Mutant) -> str | None:
    """Why the test that is to catch it does not run in `make test`, or None."""
    path, _, test = mutant.caught_by.partition("::")
    file = root / path
    if path.startswith(NO_CATCHERS):
        return f"{mutant.name}: {path} is no test of behaviour"
    if not file.is_file():
        return f"{mutant.name}: there is no {path}"
    module = ast.parse(file.read_text())
    name = test.partition("[")[0]
    found = next((each for each in module.body if _is_function(each) and getattr(each, "name", None) == name), None)
    if found is None:
        return f"{mutant.name}: {path} has no test {name}"
    marks = [ast.unparse(each) for each in getattr(found, "decorator_list", ())]
    of_all = [ast.unparse(each.value) for each in module.body if isinstance(each, ast.Assign) and _is_marks(each)]
    # What is marked within parametrize is one case of several.
    if any("mark.soak" in each and "parametrize" not in each for each in [*marks, *of_all]):
        return f"{mutant.name}: {test} runs only in `make soak`"
    return None


def _is_function(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def _is_marks(node: ast.Assign) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "pytestmark" for each in node.targets)
