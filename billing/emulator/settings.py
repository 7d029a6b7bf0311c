"""How an emulator is set up; what PortOne's sources do not settle is a switch here, with its default."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

GUIDE_SECRET = "ekKoeW8RyKuT0zgaZsUtXXTLQ4AhPFW3ZGseDA6bkA5lamv9OqDMnxyeB9wqOsuO9W3Mx9YSJ4dTqJ3f"  # noqa: S105 - published in PortOne's guide
"""The REST API secret that PortOne's own guide prints; it opens nothing but emulators."""


class EmulatorSettings(BaseModel):
    """One emulated merchant account.

    `state_file` None keeps everything in memory. `webhook_url` stands for the URL configured in the console; a
    `notice_url` replaces it per payment. `webhook_retries` resends up to five times, a minute apart, on a network
    error or 5xx (facts.md 3.4). `unknown_customer` answers an unknown customer_uid with the schema's 404 or the
    observed 200 (facts.md 1.2). `refuse_duplicate_again` refuses a paid order number on `again`, which no source
    states for V1. `deleted_vbank` is the status of a virtual account that was deleted before anybody paid into it,
    which no source states. `lag_seconds` is how late schedules run. `sandbox` makes every channel a test channel,
    whose payments the single look-up hides unless `include_sandbox` says otherwise (facts.md 2.8).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state_file: Path | None = None
    imp_key: str = "imp_apikey"
    imp_secret: str = Field(default=GUIDE_SECRET, repr=False)
    webhook_url: str | None = None
    webhook_encoding: Literal["json", "form"] = "json"
    webhook_retries: bool = False
    unknown_customer: Literal["404", "200"] = "404"
    refuse_duplicate_again: bool = True
    deleted_vbank: Literal["failed", "cancelled"] = "failed"
    lag_seconds: int = Field(default=0, ge=0)
    sandbox: bool = False
    include_sandbox_by_default: bool = True
