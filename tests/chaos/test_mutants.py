"""The list of mutants fits the tree, and the command that tries them can tell what is caught from what is not."""

import subprocess
from pathlib import Path

import pytest

from chaos.mutants.catalogue import MUTANTS
from chaos.mutants.checking import stale
from chaos.mutants.mutant import Mutant
from chaos.mutants.running import Outcome, try_each

ROOT = Path(__file__).parents[2]

PRODUCT = "def doubled(n):\n    return 2 * n\n"
TESTS = """\
import pytest

from product import doubled


def test_a_number_is_doubled():
    assert doubled(3) == 6


def test_nothing():
    assert doubled(0) == 0


def test_that_fails_anyway():
    assert doubled(1) == 3


@pytest.mark.soak
def test_for_long():
    assert doubled(3) == 6
"""


def a_mutant(name="halved", text="2 * n", replacement="n // 2", test="test_a_number_is_doubled", **more):
    place = {"file": "product.py", "caught_by": f"tests/test_product.py::{test}", **more}
    return Mutant(name, "it halves", text=text, replacement=replacement, **place)


@pytest.fixture
def tree(tmp_path):
    """A checkout of a product with tests."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "product.py").write_text(PRODUCT)
    (tmp_path / "tests" / "test_product.py").write_text(TESTS)
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\nmarkers = ["soak"]\n')
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)  # noqa: S603, S607
    return tmp_path


def test_every_mutant_fits_the_tree_and_its_catcher_is_a_test_of_behaviour_in_make_test():
    assert stale(ROOT, MUTANTS) == []


def test_the_sixteen_classic_ones_are_there_and_as_many_of_our_own_as_were_promised():
    classics = [mutant.classic for mutant in MUTANTS if mutant.classic is not None]
    assert sorted(classics) == sorted(f"M{number}" for number in range(1, 17))
    assert len(MUTANTS) - len(classics) >= 24


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (a_mutant(text="3 * n"), "halved: its text stands 0 times in product.py"),
        (a_mutant(text="n"), "halved: its text stands 3 times in product.py"),
        (a_mutant(file="moved.py"), "halved: there is no moved.py"),
        (a_mutant(replacement="2 * n"), "halved: it changes nothing"),
        (a_mutant(test="test_that_was_renamed"), "halved: tests/test_product.py has no test test_that_was_renamed"),
        (a_mutant(test="test_for_long"), "halved: test_for_long runs only in `make soak`"),
        (a_mutant(caught_by="tests/gone.py::test_it"), "halved: there is no tests/gone.py"),
        (a_mutant(caught_by="tests/replay/test_replay.py::test_it"), "halved: tests/replay/test_replay.py is no test"),
    ],
)
def test_what_does_not_fit_any_more_is_said(tree, mutant, says):
    (sentence,) = stale(tree, [mutant])
    assert sentence.startswith(says)


def test_two_mutants_of_one_name_are_said(tree):
    assert stale(tree, [a_mutant(), a_mutant()]) == ["halved: 2 mutants have this name"]


def test_a_mutant_is_caught_where_its_catcher_fails_and_the_checkout_is_left_alone(tree):
    mutants = [
        a_mutant("caught"),
        a_mutant("alive", test="test_nothing"),
        a_mutant("untold", test="test_that_fails_anyway"),
        a_mutant("stale", text="3 * n"),
    ]
    told = []
    tried = try_each(tree, mutants, told.append)
    assert [each.outcome for each in tried] == [Outcome.CAUGHT, Outcome.ALIVE, Outcome.UNTOLD, Outcome.STALE]
    assert told == tried
    assert (tree / "product.py").read_text() == PRODUCT
    assert "assert" in tried[0].why
