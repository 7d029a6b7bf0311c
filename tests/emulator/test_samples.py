"""Every sample of the emulator's pages is tried: TOML and JSON parse, calls succeed, options exist, Python compiles."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer.main

from api.cli import app
from bench.__main__ import app as benches
from billing.emulator.faults import read_faults

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [
    DOCS / "reference/emulator.md", DOCS / "reference/faults.md", DOCS / "reference/emulator-switches.md",
    DOCS / "guides/emulator.md", DOCS / "guides/emulator.ko.md",
]  # fmt: skip


def blocks(language: str) -> list:
    pattern = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    found = [
        pytest.param(block, id=f"{page.parent.name}/{page.name} {place}")
        for page in PAGES
        for place, block in enumerate(pattern.findall(page.read_text("utf-8")))
    ]
    assert found, language
    return found


@pytest.mark.parametrize("block", blocks("toml"))
def test_a_plan_in_toml_is_a_plan(block):
    assert read_faults(tomllib.loads(block))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_json_in_a_sentence_is_json(page):
    for text in re.findall(r"`(\{\"[^`]*\})`", page.read_text("utf-8")):
        if "…" not in text and re.search(r"\"[:,]", text) and ":" in text:
            json.loads(text)


@pytest.mark.parametrize("block", blocks("python"))
def test_python_compiles(block):
    compile(block, "sample", "exec")


@pytest.mark.parametrize("block", blocks("console"))
async def test_a_call_in_a_console_succeeds_and_an_option_exists(merchant, block):
    await merchant.issue()
    await merchant.again("order-1", amount=9900)
    for line in block.splitlines():
        if not line.startswith("$ "):
            continue
        words = shlex.split(line[2:], comments=True)
        if words[0] == "curl":
            url = next(word for word in words if word.startswith("localhost:8100/"))
            data = words[words.index("-d") + 1] if "-d" in words else None
            call = {"content": data, "headers": {"Content-Type": "application/json"}} if data else {}
            answer = await merchant.http.request("POST" if data else "GET", url.removeprefix("localhost:8100"), **call)
            assert answer.is_success, f"{line}: {answer.text}"
        elif "emulator" in words:
            bench = "bench" in words
            command = typer.main.get_command(benches if bench else app).commands["emulator"]
            known = {option for parameter in command.params for option in parameter.opts}
            given = {word.partition("=")[0] for word in words[words.index("emulator") :] if word.startswith("--")}
            assert given <= known, f"{line}: {given - known}"
