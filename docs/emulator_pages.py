"""The emulator's switches and operations: docs/reference/emulator-switches.md and emulator-operations.md."""

from http import HTTPStatus
from typing import Any, Literal, get_args, get_origin

from billing.emulator.app import SERVED
from billing.emulator.operations import EXCEPTIONS, OPERATIONS
from billing.emulator.routes.unserved import NOT_SERVED
from billing.emulator.settings import EmulatorSettings, Family, source_of, switches, switches_as

_OPERATIONS = """\
# PortOne's operations at the emulator

<!-- Written by docs/generate.py from billing/emulator/operations.py and the emulator's routes; change it there. -->

Of the {all} operations of PortOne's V1 schema the emulator serves {served}. The others answer those who have a token \
with HTTP {status} and code -1 in PortOne's envelope, by name: `{message}`.

Statuses are those that the schema lists; where that has no 400, bad parameters are answered with 200 and code 1. \
Beside them there are:

{exceptions}
| Operation | Does | Statuses | Served |
|---|---|---|---|
{rows}"""


def operations_page() -> str:
    """docs/reference/emulator-operations.md, one row for each operation of PortOne's V1 schema."""
    served = ["yes" if (one.method, one.path) in SERVED else "no" for one in OPERATIONS]
    rows = (
        f"| `{one.method} {one.path}` | {one.does} | {', '.join(map(str, sorted(one.statuses)))} | {is_served} |\n"
        for one, is_served in zip(OPERATIONS, served, strict=True)
    )
    exceptions = (
        f"- {status} of {'every operation' if method == '*' else f'`{method} {path}`'}: {source}\n"
        for (method, path, status), source in EXCEPTIONS.items()
    )
    return _OPERATIONS.format(
        all=len(OPERATIONS), served=served.count("yes"), status=int(HTTPStatus.NOT_IMPLEMENTED),
        message=NOT_SERVED.format(method="POST", path="/cvs"), exceptions="".join(exceptions), rows="".join(rows),
    )  # fmt: skip


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
