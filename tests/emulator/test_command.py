"""`gudok emulator` as a command of its own: it says where it answers, and takes a plan of faults from a file."""

import asyncio
import contextlib
import re
import sys

import pytest
from typer.testing import CliRunner

from api.cli import app
from tests.patience import PATIENCE_SECONDS, patient_client

PLAN = '[[rules]]\nkind = "500_before"\npath = "getToken"\ncount = 1\n'


@contextlib.asynccontextmanager
async def running(folder, *arguments):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.cli", "emulator", "--port", "0", *arguments,
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            said = (await process.stdout.readline()).decode()
        address = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert address, said + (await process.stderr.read()).decode()
        async with patient_client(address[0]) as http:
            yield http
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()


@pytest.mark.parametrize(
    ("text", "problem"),
    [('[[rules]]\nkind = "odd"\n', "rule 1, kind"), ("[[rules]]\n[[rules]]\n", "rule 2, kind"), ("rules", "plan.toml")],
)
def test_a_wrong_plan_is_told_of_and_nothing_is_started(tmp_path, monkeypatch, text, problem):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.toml").write_text(text)
    answer = CliRunner().invoke(app, ["emulator", "--port", "0", "--faults", "plan.toml"])
    assert answer.exit_code == 2
    assert problem in re.sub(r"[\s│]+", " ", answer.output)
    assert not (tmp_path / ".gudok" / "emulator.db").exists()


async def test_it_answers_from_an_empty_folder_with_the_plan_that_it_was_given(tmp_path):
    (tmp_path / "plan.toml").write_text(PLAN)
    async with running(tmp_path, "--faults", "plan.toml") as http:
        assert [(await http.post("/users/getToken", json={})).status_code for _ in range(2)] == [500, 200]
        assert "PortOne" in (await http.get("/")).text
    # The same plan goes on counting.
    async with running(tmp_path, "--faults", "plan.toml") as http:
        assert (await http.post("/users/getToken", json={})).status_code == 200
