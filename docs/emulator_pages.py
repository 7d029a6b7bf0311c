"""docs/reference/emulator-switches.md: what PortOne's sources leave open, and whom the emulator follows in it."""

from typing import Any, Literal, get_args, get_origin

from billing.emulator.settings import EmulatorSettings, Family, source_of, switches, switches_as

_SWITCHES = """\
# The emulator's switches

<!-- Written by docs/generate.py from billing/emulator/settings.py; change it there. -->

What PortOne's sources leave open, or contradict each other in, is a switch: \
`gudok emulator --switch past_schedule=run`, `EmulatorSettings(past_schedule="run")`, or \
a setting of `POST /emulator/reset`. \
The default is bold.

`--as seen` follows what clients and their own test suites have seen, `--as schema` follows PortOne's V1 schema to the \
letter (`{"as": "seen"}` at a reset and in the pytest fixture's options); a switch given beside it wins. \
Without either, the last column says whom each default follows.

| Switch | Values | Decides | `--as seen` | `--as schema` | The default follows |
|---|---|---|---|---|---|
"""


def switches_page() -> str:
    """docs/reference/emulator-switches.md, one row for each switch."""
    seen, schema = (switches_as(family) for family in Family)
    rows = (
        f"| `{name}` | {_values(name, default)} | {meaning} | {_cell(seen, name)} | {_cell(schema, name)} "
        f"| {source_of(name)} |\n"
        for name, (default, meaning) in switches().items()
    )
    return _SWITCHES + "".join(rows)


def _values(name: str, default: object) -> str:
    kind = EmulatorSettings.model_fields[name].annotation
    others = [True, False] if kind is bool else get_args(kind) if get_origin(kind) is Literal else ["…"]
    return ", ".join([f"**`{_text(default)}`**", *(f"`{_text(one)}`" for one in others if one != default)])


def _cell(family: dict[str, Any], name: str) -> str:
    return f"`{_text(family[name])}`" if name in family else ""


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
