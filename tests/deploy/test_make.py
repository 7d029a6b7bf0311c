"""The first command a stranger types."""

import asyncio
import os
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from pathlib import Path

import pytest

from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()


async def make(folder: Path, *arguments: str, path: str = "/usr/bin:/bin") -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        "make",
        *arguments,
        cwd=folder,
        env={"PATH": path, "HOME": str(folder)},
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


async def test_a_python_that_does_not_fit_is_named_and_nothing_is_made(clone: Path) -> None:
    old = clone / "python3.9"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    code, output = await make(clone, f"PYTHON={old}", "test")
    assert code == 2
    assert f"needs Python 3.11, 3.12 or 3.13; found none of: {old}" in output
    assert not (clone / ".venv").exists()


async def test_without_any_python_it_says_where_it_looked(
    clone: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tools = tmp_path_factory.mktemp("tools")
    for tool in ("sh", "cat", "rm", "make"):
        (tools / tool).symlink_to(shutil.which(tool) or "/nowhere")
    code, output = await make(clone, "demo", path=str(tools))
    assert code == 2
    assert "found none of: python3.11 python3.12 python3.13 python3 python" in output
    assert "make PYTHON=" in output


async def test_plain_make_lists_everything_that_can_be_made(clone: Path) -> None:
    code, output = await make(clone)
    assert code == 0
    targets = re.search(r"^\.PHONY: (help .+)$", MAKEFILE, re.MULTILINE)
    assert targets
    assert set(re.findall(r"^  ([\w-]+) +[A-Z]", output, re.MULTILINE)) == set(targets[1].split())


async def test_an_environment_that_is_ready_costs_nothing(clone: Path) -> None:
    (clone / ".venv").mkdir()
    (clone / ".venv" / ".ready").write_text(f"{clone}\n")
    assert await make(clone, ".venv/.ready") == (0, "make: '.venv/.ready' is up to date.\n")


@pytest.mark.parametrize("changed", ["uv.lock", "pyproject.toml", "place"])
async def test_an_environment_is_made_again_when_what_it_was_made_from_changes(clone: Path, changed: str) -> None:
    ready = clone / ".venv" / ".ready"
    ready.parent.mkdir()
    ready.write_text(f"{clone / 'elsewhere' if changed == 'place' else clone}\n")
    if changed != "place":
        later = ready.stat().st_mtime + 1
        os.utime(clone / changed, (later, later))
    code, output = await make(clone, ".venv/.ready", "PYTHON=/nowhere/python")
    assert code == 2
    assert "needs Python" in output


def test_ci_runs_nothing_but_make_and_brings_the_browser_that_the_tests_drive() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    steps = re.findall(r"^step (.+)$", script, re.MULTILINE)
    assert steps == ["browser", "make .venv/.ready", "make check", "make test", "make soak"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
