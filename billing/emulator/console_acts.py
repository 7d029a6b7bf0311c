"""What a person may do in PortOne's console, as an order (facts.md 3.2)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from billing.emulator.form import LAST_INSTANT

FARTHEST_SECONDS = 100 * 366 * 24 * 3600


class ConsoleAct(BaseModel):
    """What a person does, and to what.

    `cancel` a payment (by imp_uid or merchant_uid; amount None is all that is left). Of the schedule of a merchant_uid:
    `execute` it now although its time has not come, `retry` it now after it failed or was revoked, `move` it to
    `schedule_at` (Unix seconds) or by `by_seconds`, `revoke` it. `register` a schedule, `pay` now with a key:
    customer_uid, merchant_uid, amount, and `pay` succeeds under an order number that is paid, too. `approve_late` a
    failed payment, `deposit` into a virtual account (both by imp_uid or merchant_uid). `delete_key` of a customer_uid.
    `recovery` every day at `hour`, or never without one.
    """

    model_config = ConfigDict(extra="forbid")

    act: Literal[
        "cancel",
        "execute",
        "retry",
        "move",
        "revoke",
        "register",
        "pay",
        "approve_late",
        "deposit",
        "delete_key",
        "recovery",
    ]
    imp_uid: str | None = None
    merchant_uid: str | None = None
    customer_uid: str | None = None
    amount: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    currency: str = Field(default="KRW", pattern=r"^[A-Z]{3}$")
    name: str = "콘솔에서 등록"
    schedule_at: int | None = Field(default=None, ge=0, le=LAST_INSTANT)
    by_seconds: float | None = Field(default=None, ge=-FARTHEST_SECONDS, le=FARTHEST_SECONDS)
    hour: int | None = Field(default=None, ge=1, le=23)
