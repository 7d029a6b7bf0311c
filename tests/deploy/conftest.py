"""docker-compose.yml as Compose would see it, without a container engine."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[?-])(?P<rest>[^}]*))?\}")


class MissingVariableError(LookupError):
    """A variable that Compose insists on (`${NAME:?...}`) is not there."""


def interpolate(value: Any, variables: Mapping[str, str]) -> Any:
    """The value with `${NAME}`, `${NAME:-default}` and `${NAME:?message}` filled in, however deep."""
    if isinstance(value, dict):
        return {key: interpolate(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolate(item, variables) for item in value]
    return _VARIABLE.sub(lambda match: _fill(match, variables), value) if isinstance(value, str) else value


def _fill(match: re.Match[str], variables: Mapping[str, str]) -> str:
    if given := variables.get(match["name"]):
        return given
    if match["kind"] != "-":
        raise MissingVariableError(match["name"])
    return match["rest"]


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


@pytest.fixture(scope="session")
def trial() -> dict[str, str]:
    lines = (ROOT / "deploy" / "trial.env").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


@pytest.fixture(scope="session")
def filled(compose: dict[str, Any]) -> Callable[[Mapping[str, str]], dict[str, Any]]:
    def fill(variables: Mapping[str, str]) -> dict[str, Any]:
        services: dict[str, Any] = interpolate(compose["services"], variables)
        return services

    return fill
