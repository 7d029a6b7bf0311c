"""Faults as a language: what goes wrong, on which call, for whom, how often; one rule, or a seeded plan of them."""

import json
import tomllib
from collections.abc import Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from billing.emulator.console_acts import ConsoleAct
from billing.emulator.fault_kinds import KINDS

_OF_ONE_KIND = {name for kind in KINDS.values() for name in kind.takes}
_OF_A_CALL = {"path", "merchant_uid", "customer_uid", "after", "count", "rate", "seconds"}


class Fault(BaseModel):
    """One rule.

    `path` is a call (`CALLS`), `webhook` or `*`; it, `merchant_uid` and `customer_uid` may hold `*` and `?`. The first
    `after` calls that fit are spared, then it strikes `count` times, None for always; with `rate`, a part of them,
    drawn from `seed`. `counted` says whether each order (or key, where no order is named) is counted apart, or all of
    them together, in the order in which they come. `seconds` and what follows it belongs to the kinds that take it.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal[
        "drop_before", "500_before", "401", "429", "429_bare", "redirect", "execute_late",
        "drop_after", "500_after", "garbage", "slow_drip",
        "wrong_amount", "wrong_merchant_uid", "wrong_imp_uid", "wrong_customer_uid", "delay", "delay_after",
        "stale", "frozen", "decline", "undecided",
        "drop_webhook", "delay_webhook", "duplicate_webhook", "reorder_webhook", "forge_webhook", "early_webhook",
        "console",
    ]  # fmt: skip
    path: str = "*"
    merchant_uid: str | None = None
    customer_uid: str | None = None
    after: int = Field(default=0, ge=0)
    count: int | None = Field(default=None, ge=1)
    rate: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    counted: Literal["each", "together"] = "together"
    seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    location: str | None = None
    amount: float | None = Field(default=None, allow_inf_nan=False)
    status: Literal["paid", "ready", "failed", "cancelled"] | None = None
    answer: Literal["504", "cut"] | None = None
    act: ConsoleAct | None = None
    at: AwareDatetime | Literal["start"] | None = None

    @model_validator(mode="after")
    def _can_strike(self) -> Self:
        kind = KINDS[self.kind]
        if not any(fits(self.path, path) for path in kind.paths):
            raise ValueError(f"path: {self.kind} never meets {self.path!r}; it meets {', '.join(kind.paths)}")
        fields = type(self).model_fields
        given = {name for name, field in fields.items() if getattr(self, name) != field.default}
        if strange := sorted(given & _OF_ONE_KIND - set(kind.takes)):
            raise ValueError(f"{strange[0]}: {self.kind} takes none")
        if self.at is not None and (strange := sorted(given & _OF_A_CALL)):
            raise ValueError(f"{strange[0]}: what stands for an instant waits for no call")
        if (self.act is None) == (self.kind == "console"):
            raise ValueError("act: console needs one")
        return self


class Rule(Fault):
    """A rule of a plan: each order is counted apart unless it says otherwise, so that interleaving changes nothing."""

    counted: Literal["each", "together"] = "each"


class Plan(BaseModel):
    """Rules and the seed of what they draw; it replaces whatever was set before, whole or not at all."""

    model_config = ConfigDict(extra="forbid")

    seed: int = 0
    rules: list[Rule] = Field(default_factory=list)


class PlanError(ValueError):
    """What is wrong with a plan or a rule: `problems`, one sentence each, with the rule's number and the field."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_faults(body: Mapping[str, Any]) -> Fault | Plan:
    """A plan when it has `rules` or a `seed`, one rule otherwise.

    Raises:
        PlanError: it is neither.
    """
    try:
        return (Plan if body.keys() & {"rules", "seed"} else Fault).model_validate(body)
    except ValidationError as error:
        raise PlanError([_problem(one["loc"], one["msg"]) for one in error.errors(include_input=False)]) from None


def read_plan(path: Path) -> Plan:
    """The plan in a file: JSON when its name ends so, else TOML.

    Raises:
        PlanError: it cannot be read, or is no plan.
    """
    try:
        text = path.read_text(encoding="utf-8")
        body = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise PlanError([f"{path}: {error}"]) from None
    if not isinstance(body, dict):
        raise PlanError([f"{path}: a plan is an object with seed and rules"])
    plan = read_faults({"rules": [], **body})
    assert isinstance(plan, Plan)  # noqa: S101 - it has rules
    return plan


def fits(pattern: str | None, value: str | None) -> bool:
    """Whether a name is meant: None means every one, `*` and `?` stand for any letters and for one."""
    if pattern in (None, "*"):
        return True
    return value is not None and fnmatchcase(value, str(pattern).replace("[", "[[]"))


def instant_of(at: datetime | str, now: float) -> float:
    """When an act planned for an instant is done: at once when that has passed, and at `start`."""
    return max(now, at.timestamp()) if isinstance(at, datetime) else now


def _problem(loc: tuple[int | str, ...], message: str) -> str:
    where = list(loc)
    told = message.removeprefix("Value error, ")
    place = []
    if len(where) > 1 and where[0] == "rules" and isinstance(where[1], int):
        place, where = [f"rule {where[1] + 1}"], where[2:]
    if where:
        place.append(".".join(str(part) for part in where))
    if not where and not told.startswith("Input"):
        # Our own sentences begin with their field.
        return ", ".join([*place, told])
    return f"{', '.join(place)}: {told}" if place else told
