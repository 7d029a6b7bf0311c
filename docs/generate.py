#!/usr/bin/env python3
"""Write the reference pages that the code can tell by itself; `--check` only says whether they are current."""

import runpy
import sys
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from billing.settings import Settings, variable

REFERENCE = Path(__file__).parent / "reference"

_HEAD = """\
# Settings

<!-- Written by docs/generate.py from billing/settings.py; change it there. -->

Every setting is an environment variable, or a file in `/run/secrets` named like it in lower case.
Lists are separated by commas.
A variable that is set to nothing counts as not set.
How Temporal is reached is set by the SDK's own variables: `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, \
`TEMPORAL_API_KEY`, `TEMPORAL_TLS_*`.

| Variable | Default | Meaning |
|---|---|---|
"""


def settings_page() -> str:
    """docs/reference/settings.md, one row per field of `Settings` in its order."""
    rows = (
        f"| `{variable(name)}` | {_default(field)} | {(field.description or '').replace('|', '/')} |\n"
        for name, field in Settings.model_fields.items()
    )
    return _HEAD + "".join(rows)


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "by mode"
    value = field.default
    first = value[0] if isinstance(value, tuple) and value else value
    if isinstance(first, SecretStr) and "://" not in first.get_secret_value():
        return "a local one"
    shown = ",".join(_text(item) for item in value) if isinstance(value, tuple) else _text(value)
    return f"`{shown}`" if shown else "none"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Enum):
        return str(value.value)
    return str(value).lower() if isinstance(value, bool) else str(value)


# Long enough for a file of its own; this folder is no package.
_EVENTS = runpy.run_path(str(Path(__file__).parent / "events_page.py"))

PAGES = {
    REFERENCE / "settings.md": settings_page,
    REFERENCE / "events.md": _EVENTS["events_page"],
    REFERENCE / "events.schema.json": _EVENTS["events_schema"],
}


def main(arguments: list[str]) -> int:
    """Write every page, or say which ones are not current."""
    stale = [path for path, page in PAGES.items() if not path.exists() or path.read_text() != page()]
    if "--check" not in arguments:
        for path in stale:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(PAGES[path]())
    sys.stdout.writelines(f"{path}: {'not current' if '--check' in arguments else 'written'}\n" for path in stale)
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
