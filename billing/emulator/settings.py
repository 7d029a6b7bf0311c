"""How an emulator is set up; what PortOne's sources do not settle is a switch here, with its default."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

GUIDE_SECRET = "ekKoeW8RyKuT0zgaZsUtXXTLQ4AhPFW3ZGseDA6bkA5lamv9OqDMnxyeB9wqOsuO9W3Mx9YSJ4dTqJ3f"  # noqa: S105 - published in PortOne's guide
"""The REST API secret that PortOne's own guide prints; it opens nothing but emulators."""


class EmulatorSettings(BaseModel):
    """One emulated merchant account.

    `state_file` None keeps everything in memory. `webhook_url` stands for the URL configured in the console; a
    `notice_url` replaces it per payment. What PortOne's sources leave open is a switch with a description.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state_file: Path | None = None
    imp_key: str = "imp_apikey"
    imp_secret: str = Field(default=GUIDE_SECRET, repr=False)
    webhook_url: str | None = None
    webhook_encoding: Literal["json", "form"] = Field("json", description="How webhooks are written.")
    webhook_retries: bool = Field(
        False, description="Whether a webhook is sent up to five more times, a minute apart, on a network error or 5xx."
    )
    missing_credentials: Literal["400", "200"] = Field(
        "400", description="HTTP status when getToken lacks a key or a secret; clients saw one of the two."
    )
    auth_time: Literal["real", "clock"] = Field(
        "real",
        description="Whether tokens live by real time, as a client that keeps one counts, or by the emulator's clock.",
    )
    unknown_customer: Literal["404", "200"] = Field(
        "404",
        description="HTTP status of GET and DELETE for an unknown customer_uid: the schema's, or what clients saw.",
    )
    unknown_customer_on_again: Literal["1", "-1"] = Field(
        "1", description="`code` of a charge for an unknown customer_uid: what older clients saw, or newer ones."
    )
    declined_charge: Literal["refused", "failed_payment"] = Field(
        "refused",
        description="What a declined charge answers: code -1 as clients saw, or code 0 and the failed payment.",
    )
    require_name: bool = Field(
        False, description="Whether `again` needs a `name`, as the schema says and PortOne's own samples do not."
    )
    refuse_duplicate_again: bool = Field(
        True, description="Whether `again` refuses an order number that is paid, which no source states for V1."
    )
    past_schedule: Literal["refuse", "run"] = Field(
        "refuse", description="What becomes of a schedule registered for an instant in the past."
    )
    schedule_lists: Literal["paged", "array"] = Field(
        "paged", description="The shape of schedule lists: what official clients parse, or the schema's type."
    )
    times_not_yet: Literal["0", "null"] = Field(
        "0", description="`executed_at` and `revoked_at` of a schedule before either happens."
    )
    schedules_of_deleted_key: Literal["stay", "revoke"] = Field(
        "stay", description="What becomes of the schedules of a deleted key: they stay and fail, or are revoked."
    )
    deleted_vbank: Literal["failed", "cancelled"] = Field(
        "failed", description="`status` of a virtual account deleted before anybody paid into it."
    )
    pg_rules: Literal["enforce", "off"] = Field(
        "enforce", description="Whether each PG's own rules hold: what it offers, wants, takes at least, and when."
    )
    lag_seconds: int = Field(0, ge=0, description="How late schedules run; no source says how late PortOne's do.")
    window_webhook: Literal["after", "before"] = Field(
        "after", description="Whether the window's webhook leaves after its page was told, or is answered before."
    )
    window_result: Literal["by_pg", "full", "limited"] = Field(
        "by_pg",
        description="What the callback tells: ids and error fields alone for the six PGs that PortOne names, or for "
        "all, or for none.",
    )
    window_issue_webhook: bool = Field(
        True,
        description="Whether a key issued without a charge sends a webhook, as two PGs' pages say and the others do "
        "not.",
    )
    window_refused_card: Literal["end", "stay"] = Field(
        "end", description="Whether a refused card ends the window, or may be followed by another one."
    )
    window_requirements: Literal["refuse", "ignore"] = Field(
        "refuse", description="What becomes of a key's window that lacks what its PG's page calls required."
    )
    confirm_url: bool = Field(
        True, description="Whether a page's `confirm_url` is asked before an approval; PortOne turns it on by request."
    )
    confirm_seconds: Literal["10", "5"] = Field(
        "10", description="How long a `confirm_url` may take: the developers' page says 10, the help page 5."
    )
    window_pg: str = Field("nice", description="The PG of a window whose page names none that is known here.")
    window_error_code: str = Field(
        "F400", description="`error_code` where no PG's own code says what went wrong; no source explains it."
    )
    sandbox: bool = Field(False, description="Whether every channel is a test channel; `gudok emulator` says so.")
    include_sandbox_by_default: bool = Field(
        True, description="Whether the single look-up shows test payments to a caller that does not say."
    )


NO_SWITCHES = ("state_file", "imp_key", "imp_secret", "webhook_url")


def switches() -> dict[str, tuple[object, str]]:
    """The switches: default and meaning, by name."""
    fields = EmulatorSettings.model_fields
    return {name: (one.default, one.description or "") for name, one in fields.items() if name not in NO_SWITCHES}


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
