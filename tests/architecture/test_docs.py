"""Pages that the code can write are written by the code."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from api.errors import CODES
from billing.domain import bounds
from billing.domain.declines import DECLINES
from billing.domain.event_catalogue import CATALOGUE, CATALOGUED_PING, PING
from billing.domain.money import MAX_AMOUNT
from billing.domain.pg_capabilities import PG_CAPABILITIES
from billing.domain.plans import MAX_TRIAL_DAYS
from billing.domain.refusals import OUT_OF_BOUNDS
from billing.domain.states import CONSENT_STEPS, CYCLE_STEPS, DUNNING_STEPS, SUBSCRIPTION_STEPS
from billing.settings import Settings, variable

ROOT = Path(__file__).parents[2]
GENERATE = ROOT / "docs" / "generate.py"


@pytest.fixture(scope="module")
def generate() -> dict[str, Any]:
    return runpy.run_path(str(GENERATE))


def test_every_setting_is_documented_with_a_sentence() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    documented = dict(re.findall(r"^\| `((?:GUDOK|TEMPORAL)_\w+)` \| .*? \| (.+) \|$", page, re.MULTILINE))
    assert set(documented) == {variable(name) for name in Settings.model_fields}
    assert all(text.endswith(".") for text in documented.values())


def test_every_code_of_the_door_and_every_bound_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "errors.md").read_text()
    door = ("failures", "strict_route", "serving", "security", "body_limit", "routes/health")
    source = "\n".join((ROOT / "api" / f"{name}.py").read_text() for name in door)
    codes = set(re.findall(r'\(\s*[45][0-9]{2},\s*"([a-z_]+)"', source)) | set(CODES.values()) | {OUT_OF_BOUNDS.code}
    assert {code for code in codes if f"`{code}`" not in page} == set()
    for bound in (bounds.MAX_PAUSE_DAYS, MAX_TRIAL_DAYS, bounds.MAX_CYCLES, bounds.MAX_QUANTITY, MAX_AMOUNT):
        assert f"{bound:,}" in page
    assert f"from {bounds.EARLIEST:%Y-%m-%d} to {bounds.LATEST:%Y-%m-%d}" in page
    key, value = bounds.MAX_METADATA_KEY, bounds.MAX_METADATA_VALUE
    assert f"{bounds.MAX_METADATA} entries, {key} characters a key, {value} a value" in page


def test_every_event_is_documented_with_its_sentence() -> None:
    page = (ROOT / "docs" / "reference" / "events.md").read_text()
    documented = dict(re.findall(r"^\| `([a-z_.]+)` \| (.+) \| \[\w+\]", page, re.MULTILINE))
    assert documented == {
        PING: CATALOGUED_PING.sentence,
        **{kind.value: entry.sentence for kind, entry in CATALOGUE.items()},
    }


def test_every_event_has_a_schema_that_its_example_fits(generate: dict[str, Any]) -> None:
    schema = json.loads((ROOT / "docs" / "reference" / "events.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for name, entry in [*CATALOGUE.items(), (PING, CATALOGUED_PING)]:
        body = generate["_EVENTS"]["example"](entry.data, str(name))
        validator.validate(body)
        assert not validator.is_valid({**body, "type": "no.such"})
        assert not validator.is_valid({**body, "data": {}})


def test_every_cell_about_a_pg_names_a_test_that_there_is(generate: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "reference" / "pgs.md").read_text()
    tests = generate["_PGS"]["TESTS"]
    assert set(re.findall(r"\]\[([a-z-]+)\]", page)) == set(tests)
    for path, test in tests.values():
        source = (ROOT / "docs" / "reference" / path).resolve().read_text()
        assert re.search(rf"^(async )?def {test}\(", source, re.MULTILINE), test


def test_every_pg_is_on_its_page_in_both_languages() -> None:
    page = (ROOT / "docs" / "reference" / "pgs.md").read_text()
    for row in PG_CAPABILITIES.values():
        assert f"### {row.name} · {row.name_ko}\n" in page
        assert page.count(f"`{row.provider}`") >= 3


def test_the_generated_pages_are_current(generate: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert generate["main"](["--check"]) == 0, f"run docs/generate.py: {capsys.readouterr().out}"


@pytest.mark.parametrize("steps", [SUBSCRIPTION_STEPS, CYCLE_STEPS, DUNNING_STEPS, CONSENT_STEPS])
def test_every_step_of_every_state_machine_is_in_its_table_and_in_its_diagram(steps: Any) -> None:
    page = (ROOT / "docs" / "reference" / "states.md").read_text()
    machine = next(
        part for part in page.split("\n## ") if f"[*] --> {next(iter(type(next(iter(steps))[0])))}\n" in part
    )
    documented = re.findall(r"^\| `(\w+)` \| `(\w+)` \| .+ \|$", machine, re.MULTILINE)
    drawn = re.findall(r"^    (\w+) --> (\w+)$", machine, re.MULTILINE)
    assert sorted(documented) == sorted(drawn) == sorted((str(one), str(other)) for one, other in steps)


def test_every_row_of_the_declines_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "declines.md").read_text()
    assert len(re.findall(r"^\| (hard|soft) \|", page, re.MULTILINE)) == len(DECLINES)


def test_no_default_secret_is_printed_in_the_reference(generate: dict[str, Any]) -> None:
    page = generate["settings_page"]()
    fields = ("portone_imp_secret", "api_keys", "webhook_secret", "vault_key", "event_key")
    defaults = [Settings.model_fields[name].default for name in fields]
    secrets = [
        s.get_secret_value() for default in defaults for s in (default if isinstance(default, tuple) else [default])
    ]
    assert len(secrets) == len(fields)
    assert [secret for secret in secrets if secret in page] == []
