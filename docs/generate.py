#!/usr/bin/env python3
"""Write the reference pages that the code can tell by itself; `--check` only says whether they are current."""

import runpy
import sys
from collections.abc import Iterable, Mapping
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from billing.domain.audit import INVARIANTS
from billing.domain.declines import DECLINES, FAMILIES
from billing.domain.parked import DECISIONS, SENTENCES
from billing.domain.states import (
    BOUNDARY_PRECEDENCE,
    CONSENT_STEPS,
    CYCLE_STEPS,
    DUNNING_STEPS,
    SUBSCRIPTION_STEPS,
)
from billing.domain.subscription import next_step
from billing.emulator.fault_kinds import CALLS, KINDS, MOMENTS
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


_STATES_HEAD = """\
# State machines

<!-- Written by docs/generate.py from billing/domain/states.py; change it there. -->

A workflow only walks these tables: a step that is not in them is refused.
Where one period ends and the next would begin, of all that is planned the first of these happens: \
{precedence}.
"""

_NEXT_STEP = """
## The next step

What a subscription does next, from `billing/domain/subscription/next_step.py`: the first row that applies to the \
period, and what is due beside it.
No row waits: the run does, in one place, until the earliest instant of all of them, a notification or a command.
What follows at once from what was done comes before the next command; what an instant brings comes after it.
"""

_MACHINES: tuple[tuple[str, str, Mapping[tuple[StrEnum, StrEnum], str]], ...] = (
    ("Subscription", "What the API shows as `status`.", SUBSCRIPTION_STEPS),
    ("Cycle", "One billing period: paid, or in a state that says why not.", CYCLE_STEPS),
    ("Dunning", "One unpaid period; access is counted apart from the retries.", DUNNING_STEPS),
    ("Consent", "One trial end or one higher charge, for plans that need consent.", CONSENT_STEPS),
)


def states_page() -> str:
    """docs/reference/states.md: every machine as a diagram and as a table of its steps with their reasons."""
    precedence = " > ".join(f"`{action}`" for action in BOUNDARY_PRECEDENCE)
    machines = (_machine(title, about, steps) for title, about, steps in _MACHINES)
    return _STATES_HEAD.format(precedence=precedence) + _next_step() + "".join(machines)


def _next_step() -> str:
    tables = (("Where the period stands", next_step.PERIOD), ("Beside it", next_step.BESIDE))
    parts = [_NEXT_STEP]
    for title, rows in tables:
        lines = "".join(f"| {row.name} | {row.does} |\n" for row in rows)
        parts.append(f"\n### {title}\n\n| | What is done |\n|---|---|\n{lines}")
    return "".join(parts)


def _machine(title: str, about: str, steps: Mapping[tuple[StrEnum, StrEnum], str]) -> str:
    states = list(type(next(iter(steps))[0]))
    ends = [state for state in states if all(current is not state for current, _ in steps)]
    lines = [
        f"    [*] --> {states[0]}",
        *(f"    {current} --> {target}" for current, target in _in_order(states, steps)),
        *(f"    {state} --> [*]" for state in ends),
    ]
    rows = (f"| `{one}` | `{other}` | {steps[one, other]} |\n" for one, other in _in_order(states, steps))
    diagram = "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])
    return f"\n## {title}\n\n{about}\n\n{diagram}\n\n| From | To | When |\n|---|---|---|\n{''.join(rows)}"


def _in_order(states: list[StrEnum], steps: Iterable[tuple[StrEnum, StrEnum]]) -> list[tuple[StrEnum, StrEnum]]:
    return sorted(steps, key=lambda step: (states.index(step[0]), states.index(step[1])))


_DECLINES_HEAD = """\
# Declines

<!-- Written by docs/generate.py from billing/domain/declines.py; change it there. -->

After a *hard* decline the same card is not tried again; after a *soft* one it is, as the dunning policy says.
The first row that fits decides. What no row knows is soft: PortOne passes the PGs' own words through and has no table \
of them.
Words are looked for without their spaces, a code only in brackets and only from the PGs named.

| Class | Says | PG | Source |
|---|---|---|---|
"""


def declines_page() -> str:
    """docs/reference/declines.md: what PGs say of a declined card, in the order in which it is looked for."""
    rows = (
        f"| {row.decline} | {row.words or f'`[{row.code}]`'} "
        f"| {', '.join(sorted(FAMILIES[row.family])) if row.family else 'any'} | {row.source} |\n"
        for row in DECLINES
    )
    return _DECLINES_HEAD + "".join(rows)


# Long enough for a file of its own; this folder is no package.
_EVENTS = runpy.run_path(str(Path(__file__).parent / "events_page.py"))
_PGS = runpy.run_path(str(Path(__file__).parent / "pgs_page.py"))
_MUTANTS = runpy.run_path(str(Path(__file__).parent / "mutants_page.py"))
_CHAOS = runpy.run_path(str(Path(__file__).parent / "chaos_page.py"))
_EMULATOR = runpy.run_path(str(Path(__file__).parent / "emulator_pages.py"))


def parked_page() -> str:
    """docs/reference/parked.md: each kind with its sentence, and what each decision does."""
    head = (
        "# Parked\n\n<!-- Written by docs/generate.py from billing/domain/parked.py; change it there. -->\n\n"
        "What only a person can decide stands in one list: `GET /v1/parked`, the search attribute `Parked`, and the\n"
        "event `subscription.parked`. Meanwhile nothing is charged that is in doubt, and nothing is guessed.\n"
        "`POST /v1/parked/{customer_uid}` takes a decision with who decided and why; both are kept.\n"
        "Beside it, under `overdue`, stands what is due and neither paid nor parked nor waited for: there no decision\n"
        "helps, its run is to be put right ([runbook](../runbooks/overdue.md)).\n"
    )
    parts = [head]
    for kind, sentence in SENTENCES.items():
        rows = "".join(f"| `{decision}` | {does} |\n" for decision, does in DECISIONS[kind].items())
        parts.append(f"\n## `{kind}`\n\n{sentence}\n\n| Decision | What it does |\n|---|---|\n{rows}")
    return "".join(parts)


_INVARIANTS = """\
# Invariants

<!-- Written by docs/generate.py from billing/domain/audit; change it there. -->

What must hold of the books, whatever was lost, repeated, late, forged or killed in between.
One library judges them wherever they are judged: `gudok audit` in production ([runbook](../runbooks/audit.md)), the \
tests, and the fault harness.
Each says with a sentence, and with the names to look it up by, where it does not hold; what needs a book that was not \
read is not judged, and never counts as fine.
A test breaks each of them in books in which everything holds, and sees that it speaks, and that no other one does.

| Name | What must hold | Needs, beside the ledger |
|---|---|---|
"""


def invariants_page() -> str:
    """docs/reference/invariants.md: each with its sentence and the books that it needs."""
    rows = (
        f"| `{each.name}` | {each.statement} | {', '.join(sorted(each.needs)) or 'nothing'} |\n" for each in INVARIANTS
    )
    return _INVARIANTS + "".join(rows)


_FAULTS = """\
# Kinds of faults

<!-- Written by docs/generate.py from billing/emulator/fault_kinds.py; change it there. -->

What can go wrong at the [emulator](emulator.md), on purpose; \
how rules and plans are written is [there](emulator.md#faults).
A wrong field of an answer is wrong wherever the answer has one.
"""


def faults_page() -> str:
    """docs/reference/faults.md: every kind by its moment, with what it takes, in both languages."""
    parts = [f"{_FAULTS}\nThe calls: {', '.join(f'`{path}`' for path in CALLS)}.\n"]
    for moment, (english, korean) in MOMENTS.items():
        kinds = {name: kind for name, kind in KINDS.items() if kind.moment == moment}
        rows = "".join(
            f"| `{name}` | {', '.join(f'`{taken}`' for taken in kind.takes)} | {kind.english} | {kind.korean} |\n"
            for name, kind in kinds.items()
        )
        paths = next(iter(kinds.values())).paths
        where = "any call" if paths is CALLS else ", ".join(f"`{path}`" for path in paths)
        heading = f"\n## {english[0].upper()}{english[1:]} ({korean})\n\n`path`: {where}, or `*`.\n\n"
        parts.append(f"{heading}| Kind | Takes | What happens | 무슨 일이 생기나 |\n|---|---|---|---|\n{rows}")
    return "".join(parts)


PAGES = {
    REFERENCE / "chaos.md": _CHAOS["chaos_page"],
    REFERENCE / "emulator-operations.md": _EMULATOR["operations_page"],
    REFERENCE / "emulator-switches.md": _EMULATOR["switches_page"],
    REFERENCE / "faults.md": faults_page,
    REFERENCE / "invariants.md": invariants_page,
    REFERENCE / "mutants.md": _MUTANTS["mutants_page"],
    REFERENCE / "parked.md": parked_page,
    REFERENCE / "settings.md": settings_page,
    REFERENCE / "states.md": states_page,
    REFERENCE / "declines.md": declines_page,
    REFERENCE / "pgs.md": _PGS["pgs_page"],
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
