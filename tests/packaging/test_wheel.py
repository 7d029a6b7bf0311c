"""What is distributed is whole: every module of the product, and every module that is started by its name."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NOT_DISTRIBUTED = {"tests", "bench", "chaos", "docs", "deploy"}


def _product() -> set[str]:
    modules = {path.name for path in ROOT.glob("*.py")}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    return (modules | packages) - NOT_DISTRIBUTED


def test_the_wheel_has_every_module_of_the_product():
    # `packages` would leave out what stands beside them: a wheel without worker.py starts no worker.
    assert PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"].keys() == {"only-include"}
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]) == _product()
    assert {"worker.py", "gudok_pytest.py", "billing"} <= _product()


def test_what_is_distributed_and_the_fault_harness_are_type_checked():
    product = {name.removesuffix(".py") for name in _product()}
    assert set(PROJECT["tool"]["mypy"]["packages"]) == {*product, "chaos"}


def test_every_entry_point_is_in_the_wheel():
    project = PROJECT["project"]
    points = [*project["scripts"].values(), *project["entry-points"]["pytest11"].values()]
    started = {point.partition(":")[0].partition(".")[0] for point in points}
    assert started == {"api", "gudok_pytest"}
    assert started <= {name.removesuffix(".py") for name in _product()}


def test_the_image_is_built_from_every_module_of_the_product():
    copied = {word for line in (ROOT / "Dockerfile").read_text().splitlines() for word in line.split()}
    assert copied >= _product()
