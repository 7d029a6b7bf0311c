"""Fault switches: what goes wrong, on which call, for whom, how often."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from billing.emulator.store import Record, Store

BEFORE = ("500_before", "429", "401")
AFTER = ("drop_after", "500_after", "garbage")
WEBHOOK = ("drop_webhook", "duplicate_webhook", "delay_webhook")


class Fault(BaseModel):
    """One switch.

    `path` is a call (getToken, again, onetime, schedule, retry, reschedule, unschedule, customers, customers_get,
    customers_delete, cancel, payments_get, find, findAll, schedule_get …), `webhook` for the webhook kinds, or `*`.
    `decline` on `schedule` is a scheduled charge that fails when its time comes. `count` is how often it fires, None
    for always; `seconds` is the length of `delay` (before the call), `delay_after` (charged, the answer hangs) and
    `delay_webhook` (emulator time), and the Retry-After of `429`.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal[
        "500_before", "429", "401", "drop_after", "500_after", "garbage", "delay", "delay_after", "decline",
        "drop_webhook", "duplicate_webhook", "delay_webhook",
    ]  # fmt: skip
    path: str = "*"
    count: int | None = Field(default=None, ge=1)
    merchant_uid: str | None = None
    customer_uid: str | None = None
    seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)


class Faults:
    """The switches that are set, durable like the rest."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, fault: Fault) -> Record:
        """Set a switch."""
        record = {**fault.model_dump(), "fired": 0}
        return self._store.put("faults", f"{self._store.count('fault'):06d}", record)

    def clear(self) -> None:
        """Take every switch back."""
        for key in list(self._store["faults"]):
            self._store.drop("faults", key)

    def all(self) -> list[Record]:
        """The switches and how often each has fired."""
        return list(self._store["faults"].values())

    def take(
        self, kinds: tuple[str, ...], path: str, *, merchant_uid: str | None = None, customer_uid: str | None = None
    ) -> Record | None:
        """The first switch that fits, counted as fired; None when nothing goes wrong."""
        for key, fault in self._store["faults"].items():
            fits = (
                fault["kind"] in kinds
                and fault["path"] in ("*", path)
                and fault["merchant_uid"] in (None, merchant_uid)
                and fault["customer_uid"] in (None, customer_uid)
                and (fault["count"] is None or fault["fired"] < fault["count"])
            )
            if fits:
                return self._store.put("faults", key, {**fault, "fired": fault["fired"] + 1})
        return None
