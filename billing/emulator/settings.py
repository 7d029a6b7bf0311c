"""How an emulator is set up; what PortOne's sources do not settle is a switch here, with its default and its source."""

from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

GUIDE_SECRET = "ekKoeW8RyKuT0zgaZsUtXXTLQ4AhPFW3ZGseDA6bkA5lamv9OqDMnxyeB9wqOsuO9W3Mx9YSJ4dTqJ3f"  # noqa: S105 - published in PortOne's guide
"""The REST API secret that PortOne's own guide prints; it opens nothing but emulators."""

GUIDE_KEYS = ("imp_apikey", "imp_apiKey")
"""The REST API key of PortOne's guide, and how two npm clients spell it in their defaults: both are the same key."""


class Family(StrEnum):
    """Whom an emulator follows where PortOne's schema and what its clients have seen contradict each other."""

    SEEN = "seen"
    SCHEMA = "schema"


def _switch(default: Any, description: str, source: str, **of_family: Any) -> Any:
    """A switch: its default, what it decides, whence the default is, and what it is with `seen` and with `schema`."""
    return Field(default, description=description, json_schema_extra={"source": source, **of_family})


class EmulatorSettings(BaseModel):
    """One emulated merchant account.

    `state_file` None keeps everything in memory. `webhook_url` stands for the URL configured in the console; a
    `notice_url` replaces it per payment. What PortOne's sources leave open is a switch with a description; `as`, which
    is `seen` or `schema`, sets those on which the two differ, and a switch that is given beside it wins.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state_file: Path | None = None
    imp_key: str = GUIDE_KEYS[0]
    imp_secret: str = Field(default=GUIDE_SECRET, repr=False)
    webhook_url: str | None = None
    webhook_encoding: Literal["json", "form"] = _switch(
        "json", "How webhooks are written.", "PortOne's webhook page has both, chosen in the console."
    )
    webhook_retries: bool = _switch(
        False,
        "Whether a webhook is sent up to five more times, a minute apart, on a network error or 5xx.",
        "PortOne's webhook page: once, and again on request.",
    )
    missing_credentials: Literal["200", "400"] = _switch(
        "200",
        "HTTP status when getToken lacks a key or a secret.",
        "The schema lists 200 and 401; iamporter's `test/auth.test.js` shows that it was 200 or 400.",
        seen="400",
        schema="200",
    )
    auth_time: Literal["real", "clock"] = _switch(
        "real",
        "Whether tokens live by real time, as a client that keeps one counts, or by the emulator's clock.",
        "The emulator's own: PortOne has no clock that can be moved.",
    )
    unknown_customer: Literal["404", "200"] = _switch(
        "404",
        "HTTP status of GET and DELETE for an unknown customer_uid.",
        "The schema; the tests of iamport-rest-client-python and iamporter saw 200 and code 1.",
        seen="200",
        schema="404",
    )
    unknown_customer_on_again: Literal["1", "-1"] = _switch(
        "1",
        "`code` of a charge for an unknown customer_uid.",
        "go-iamport's `subscribe_test.go`; iamport-rest-client-python's `test_pay_again.py`, which is newer, has -1.",
        seen="-1",
    )
    declined_charge: Literal["refused", "failed_payment"] = _switch(
        "refused",
        "What a declined charge answers: code -1, or code 0 and the failed payment.",
        "The tests of iamport-rest-client-python and go-iamport; the schema is silent.",
        seen="refused",
    )
    require_name: bool = _switch(
        False,
        "Whether `again` needs a `name`.",
        "The samples of PortOne's PG pages, which have none; the schema requires it.",
        seen=False,
        schema=True,
    )
    refuse_duplicate_again: bool = _switch(
        True, "Whether `again` refuses an order number that is paid.", "No source states it for V1; its SDK does."
    )
    past_schedule: Literal["refuse", "run"] = _switch(
        "refuse",
        "What becomes of a schedule registered for an instant in the past.",
        "No source; PUT and reschedule refuse it by the schema.",
    )
    schedule_lists: Literal["paged", "array"] = _switch(
        "paged",
        "The shape of schedule lists.",
        "PortOne's Node and Java clients read a page; the schema's text says so too, and its type says array.",
        seen="paged",
        schema="array",
    )
    times_not_yet: Literal["0", "null"] = _switch(
        "0",
        "`executed_at` and `revoked_at` of a schedule before either happens.",
        "No source; a payment's instants are 0 by the schema.",
    )
    schedules_of_deleted_key: Literal["stay", "revoke"] = _switch(
        "stay",
        "What becomes of the schedules of a deleted key: they stay and fail, or are revoked.",
        "No source; the schema warns to look for them first.",
    )
    deleted_vbank: Literal["failed", "cancelled"] = _switch(
        "failed", "`status` of a virtual account deleted before anybody paid into it.", "No source."
    )
    pg_rules: Literal["enforce", "off"] = _switch(
        "enforce",
        "Whether each PG's own rules hold: what it offers, wants, takes at least, and when.",
        "The schema's notes by PG, and PortOne's PG and help pages.",
    )
    lag_seconds: int = Field(
        0, ge=0, description="How late schedules run.", json_schema_extra={"source": "No source says how late."}
    )
    window_webhook: Literal["after", "before"] = _switch(
        "after",
        "Whether the window's webhook leaves after its page was told, or is answered before.",
        "PortOne's webhook page: no order is promised, the webhook first on request.",
    )
    window_result: Literal["by_pg", "full", "limited"] = _switch(
        "by_pg",
        "What the callback tells: ids and error fields alone for the six PGs that PortOne names, or for none, or for "
        "all.",
        "PortOne's SDK page.",
    )
    window_issue_webhook: bool = _switch(
        True,
        "Whether a key issued without a charge sends a webhook.",
        "Two PGs' pages say so, the others do not.",
    )
    window_refused_card: Literal["end", "stay"] = _switch(
        "end", "Whether a refused card ends the window, or may be followed by another one.", "No source."
    )
    window_requirements: Literal["refuse", "ignore"] = _switch(
        "refuse",
        "What becomes of a key's window that lacks what its PG's page calls required, and of one of Naver Pay's order "
        "type without `naverProducts`.",
        "PortOne's PG pages call it required, and do not say what happens.",
    )
    confirm_url: bool = _switch(
        True, "Whether a page's `confirm_url` is asked before an approval.", "PortOne turns it on by request."
    )
    confirm_seconds: Literal["10", "5"] = _switch(
        "10", "How long a `confirm_url` may take.", "PortOne's developers' page; its help page says 5."
    )
    window_pg: str = _switch(
        "nice", "The PG of a window whose page names none that is known here.", "The emulator's own."
    )
    window_error_code: str = _switch(
        "F400", "`error_code` where no PG's own code says what went wrong.", "Seen in callbacks; no source explains it."
    )
    sandbox: bool = _switch(
        False,
        "Whether every channel is a test channel; `gudok emulator` sets `true` unless `--switch sandbox=false`.",
        "The emulator's own.",
    )
    include_sandbox_by_default: bool = _switch(
        True,
        "Whether the single look-up shows test payments to a caller that does not say.",
        "Clients older than the parameter find their test payments; the schema's default is false.",
        seen=True,
        schema=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _by_family(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "as" not in given:
            return given
        rest = {name: value for name, value in given.items() if name != "as"}
        return {**switches_as(Family(given["as"])), **rest}


NO_SWITCHES = ("state_file", "imp_key", "imp_secret", "webhook_url")


def switches() -> dict[str, tuple[object, str]]:
    """The switches: default and meaning, by name."""
    fields = EmulatorSettings.model_fields
    return {name: (one.default, one.description or "") for name, one in fields.items() if name not in NO_SWITCHES}


def source_of(name: str) -> str:
    """Where the default of a switch comes from."""
    return str(_about(name)["source"])


def switches_as(family: Family) -> dict[str, Any]:
    """What a family sets; the switches of which it knows nothing stay as they are."""
    return {name: _about(name)[family.value] for name in switches() if family.value in _about(name)}


def _about(name: str) -> dict[str, Any]:
    about = EmulatorSettings.model_fields[name].json_schema_extra
    return about if isinstance(about, dict) else {}


def read_switches(given: list[str]) -> dict[str, str]:
    """`NAME=VALUE` as settings; what a value may be the settings say.

    Raises:
        ValueError: no such switch.
    """
    read = {}
    for one in given:
        name, _, value = one.partition("=")
        if name not in switches():
            raise ValueError(f"{name} is no switch of the emulator; there are {', '.join(switches())}")
        read[name] = value
    return read
