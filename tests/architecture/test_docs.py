"""Pages that the code can write are written by the code."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from billing.settings import Settings, variable

ROOT = Path(__file__).parents[2]
GENERATE = ROOT / "docs" / "generate.py"


@pytest.fixture(scope="module")
def generate() -> dict[str, Any]:
    return runpy.run_path(str(GENERATE))


def test_every_setting_is_documented_with_a_sentence() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    documented = dict(re.findall(r"^\| `(GUDOK_\w+)` \| .*? \| (.+) \|$", page, re.MULTILINE))
    assert set(documented) == {variable(name) for name in Settings.model_fields}
    assert all(text.endswith(".") for text in documented.values())


def test_the_generated_pages_are_current(generate: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert generate["main"](["--check"]) == 0, f"run docs/generate.py: {capsys.readouterr().out}"


def test_no_default_secret_is_printed_in_the_reference(generate: dict[str, Any]) -> None:
    page = generate["settings_page"]()
    fields = ("portone_imp_secret", "api_keys", "webhook_secret", "vault_key", "event_key")
    defaults = [Settings.model_fields[name].default for name in fields]
    secrets = [
        s.get_secret_value() for default in defaults for s in (default if isinstance(default, tuple) else [default])
    ]
    assert len(secrets) == len(fields)
    assert [secret for secret in secrets if secret in page] == []
