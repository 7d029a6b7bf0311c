"""docker-compose.yml, Dockerfile and deploy/ hold together, though no container engine runs here."""

import copy
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from billing import settings as settings_module
from billing.settings import InvalidSettingsError, Mode, Settings, load_settings, variable

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((Path(__file__).parent / "compose_schema.json").read_text())

# Design section 6.
COMMANDS = {
    "api",
    "bench",
    "chaos",
    "clock advance",
    "db upgrade",
    "demo",
    "doctor",
    "emulator",
    "replay",
    "up",
    "worker",
}
PRODUCTION = {
    "GUDOK_MODE": "production",
    "POSTGRES_PASSWORD": "a-password-of-the-operator",
    "GUDOK_PORTONE_URL": "https://api.iamport.kr",
    "GUDOK_PORTONE_IMP_KEY": "1234567890123456",
    "GUDOK_PORTONE_IMP_SECRET": "s" * 80,
    "GUDOK_PUBLIC_URL": "https://billing.example.com",
    "GUDOK_API_KEYS": "an-api-key-of-the-operator",
    "GUDOK_WEBHOOK_SECRET": "a-secret-of-the-operator",
    "GUDOK_VAULT_KEY": "ab" * 32,
    "GUDOK_EVENT_KEY": "cd" * 32,
}

Services = dict[str, dict[str, Any]]
Fill = Callable[[Mapping[str, str]], Services]


def ours(services: Services) -> Services:
    return {name: service for name, service in services.items() if "build" in service}


def runs_once(service: dict[str, Any]) -> bool:
    return str(service["restart"]).startswith("on-failure")


def test_the_file_is_what_compose_accepts(compose: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(compose)


@pytest.mark.parametrize(
    ("service", "change"),
    [
        ("api", {"depends_on": {"migrations": {"condition": "service_done"}}}),
        ("api", {"ports": ["8000"]}),
        ("api", {"environment": {"GUDOK_API_PORT": 8000}}),
        ("api", {"helthcheck": {}}),
        ("temporal", {"image": "temporalio/server"}),
        ("temporal", {"healthcheck": {"test": "nc -z localhost 7233"}}),
    ],
)
def test_the_schema_notices_a_mistake(compose: dict[str, Any], service: str, change: dict[str, Any]) -> None:
    broken = copy.deepcopy(compose)
    broken["services"][service].update(change)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(broken)


def test_every_dependency_exists_and_can_come_true(compose: dict[str, Any]) -> None:
    services: Services = compose["services"]
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in services, f"{name} waits for {needed}"
            assert services[needed].get("profiles", []) == service.get("profiles", []), f"{name} waits for a profile"
            match how["condition"]:
                case "service_healthy":
                    assert "healthcheck" in services[needed], f"{needed} is never healthy"
                case "service_completed_successfully":
                    assert runs_once(services[needed]), f"{needed} never completes"


def test_services_wait_for_each_other_in_no_circle(compose: dict[str, Any]) -> None:
    left = {name: set(service.get("depends_on", {})) for name, service in compose["services"].items()}
    while ready := {name for name, needs in left.items() if not needs & left.keys()}:
        left = {name: needs for name, needs in left.items() if name not in ready}
    assert left == {}


def test_images_are_pinned_and_maintained(compose: dict[str, Any]) -> None:
    images = {service["image"] for service in compose["services"].values()}
    assert [image for image in images if image.endswith(":latest") or "auto-setup" in image] == []
    assert {image.partition(":")[0] for image in images} == {
        "gudok",
        "postgres",
        "temporalio/admin-tools",
        "temporalio/server",
        "temporalio/ui",
    }
    temporal = {image.partition(":")[2] for image in images if re.match("temporalio/(server|admin-tools)", image)}
    assert len(temporal) == 1, "the schema tool belongs to its server"


def test_our_image_carries_the_version_of_the_project(compose: dict[str, Any]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {service["image"] for service in ours(compose["services"]).values()} == {f"gudok:{version}"}


def test_every_command_is_one_of_the_cli(compose: dict[str, Any]) -> None:
    commands = {name: " ".join(service["command"]) for name, service in ours(compose["services"]).items()}
    assert set(commands) == {"api", "worker", "emulator", "migrations"}
    assert set(commands.values()) <= COMMANDS


def test_every_variable_of_ours_is_a_setting(compose: dict[str, Any], trial: dict[str, str]) -> None:
    known = {variable(name) for name in Settings.model_fields}
    used = {key for service in compose["services"].values() for key in service["environment"]} | set(trial)
    used |= set(re.findall(r"\$\{(GUDOK_\w+)", (ROOT / "docker-compose.yml").read_text()))
    assert len({name for name in used if name.startswith("GUDOK_")}) > 10
    assert {name for name in used if name.startswith("GUDOK_")} - known == set()


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    secret = {name for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)}
    names = {variable(name) for name in secret - {"payload_keys"}} | {"POSTGRES_PASSWORD"}
    written = re.findall(r"\$\{(\w+)(:[?-])?", text)
    assert {name for name, kind in written if name in names and kind != ":?"} == set()
    assert names & {name for name, _ in written} == names - {"GUDOK_DATABASE_URL"}


@pytest.mark.parametrize("missing", sorted(PRODUCTION))
def test_nothing_starts_while_a_secret_or_address_is_missing(filled: Fill, missing: str) -> None:
    with pytest.raises(LookupError, match=missing):
        filled({name: value for name, value in PRODUCTION.items() if name != missing})


@pytest.mark.parametrize("name", ["api", "worker", "migrations"])
def test_production_starts_with_what_an_operator_gives(
    filled: Fill, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(settings_module, "SECRET_FILES", tmp_path / "none")
    for key, value in filled(PRODUCTION)[name]["environment"].items():
        monkeypatch.setenv(key, value)
    settings = load_settings()
    assert settings.mode is Mode.PRODUCTION
    assert settings.database_url.get_secret_value().startswith("postgresql://gudok:a-password-of-the-operator@")


@pytest.mark.parametrize("name", ["api", "worker", "migrations", "emulator"])
def test_the_trial_starts_and_its_secrets_are_refused_in_production(
    filled: Fill, trial: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(settings_module, "SECRET_FILES", tmp_path / "none")
    for key, value in filled(trial)[name]["environment"].items():
        monkeypatch.setenv(key, value)
    settings = load_settings()
    assert settings.mode is Mode.LOCAL
    assert settings.public_url == "http://api:8000"
    monkeypatch.setenv("GUDOK_MODE", "production")
    with pytest.raises(InvalidSettingsError, match="GUDOK_PORTONE_IMP_SECRET"):
        load_settings()


def test_what_the_trial_names_is_what_production_needs(trial: dict[str, str]) -> None:
    assert set(trial) == set(PRODUCTION)


def test_addresses_inside_the_trial_name_services_and_their_ports(filled: Fill, trial: dict[str, str]) -> None:
    services = filled(trial)
    assert services["emulator"]["environment"]["GUDOK_EMULATOR_PORT"] == trial["GUDOK_PORTONE_URL"].rpartition(":")[2]
    assert services["api"]["environment"]["GUDOK_API_PORT"] == trial["GUDOK_PUBLIC_URL"].rpartition(":")[2]
    for name in ("api", "worker"):
        host, _, port = services[name]["environment"]["TEMPORAL_ADDRESS"].partition(":")
        assert port in services[host]["expose"]


def test_only_this_machine_reaches_what_is_published_and_nobody_reaches_temporal(compose: dict[str, Any]) -> None:
    ports = {name: service.get("ports", []) for name, service in compose["services"].items()}
    assert [port for published in ports.values() for port in published if not port.startswith("127.0.0.1:")] == []
    assert {name for name, published in ports.items() if published} == {"api", "emulator", "temporal-ui"}


def test_everything_of_ours_runs_without_privileges_on_a_read_only_root(compose: dict[str, Any]) -> None:
    for service in ours(compose["services"]).values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
    for service in compose["services"].values():
        assert "no-new-privileges:true" in service["security_opt"]
        assert "privileged" not in service


def test_everything_that_stays_up_is_watched(compose: dict[str, Any]) -> None:
    unwatched = {n for n, s in compose["services"].items() if not runs_once(s) and "healthcheck" not in s}
    assert unwatched == {"temporal-ui"}  # its image promises no tool to look with


def test_mounted_files_exist_and_named_volumes_are_declared(compose: dict[str, Any]) -> None:
    sources = [v.partition(":")[0] for s in compose["services"].values() for v in s.get("volumes", [])]
    assert [s for s in sources if s.startswith("./") and not (ROOT / s).exists()] == []
    assert {s for s in sources if not s.startswith("./")} == set(compose["volumes"])
    scripts = [s["entrypoint"][1] for s in compose["services"].values() if "entrypoint" in s]
    assert scripts == ["/setup/setup-schema.sh", "/setup/create-namespace.sh"]
    assert [s for s in scripts if not (ROOT / "deploy" / "temporal" / Path(s).name).exists()] == []
