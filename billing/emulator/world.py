"""One emulated account: its objects, its clock, and the instants at which something happens by itself."""

import heapq
import itertools
import secrets
from typing import Any

from billing.emulator.clock import EmulatorClock
from billing.emulator.settings import EmulatorSettings
from billing.emulator.store import Record, Store

NOBODY = ""
"""The owner of instants that belong to no customer_uid."""


class World:
    """What everything in the emulator works on."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self.settings = settings
        self.store = Store(settings.state_file)
        self.clock = EmulatorClock(self.store)
        self._sequence = itertools.count()
        self._due: dict[str, list[tuple[float, int, str, str]]] = {}
        self.by_order: dict[str, list[str]] = {}
        self.by_key: dict[str, list[str]] = {}
        for payment in self.store["payments"].values():
            self._index(payment)
        for schedule in self.store["schedules"].values():
            if schedule["schedule_status"] == "scheduled":
                self.expect(schedule["customer_uid"], schedule["schedule_at"], "schedule", schedule["merchant_uid"])
        for imp_uid, late in self.store["late"].items():
            self.expect(late["customer_uid"], late["at"], "late", imp_uid)

    # -------------------------------------------------------------- instants

    def expect(self, customer_uid: str | None, at: float, kind: str, key: str) -> None:
        """Remember that something happens by itself at `at`, on that customer_uid's clock."""
        heap = self._due.setdefault(customer_uid or NOBODY, [])
        heapq.heappush(heap, (at, next(self._sequence), kind, key))

    def next_due(self, customer_uid: str | None = None) -> tuple[float, str, str, str] | None:
        """Seconds until the next thing that happens by itself, whose it is, what it is and its id."""
        owners = [customer_uid] if customer_uid is not None else list(self._due)
        best: tuple[float, str, str, str] | None = None
        for owner in owners:
            heap = self._due.get(owner, [])
            while heap and not self._still_true(heap[0]):
                heapq.heappop(heap)
            if heap:
                left = heap[0][0] - self.clock.now(owner or None)
                if best is None or left < best[0]:
                    best = (left, owner, heap[0][2], heap[0][3])
        return best

    def pop_due(self, owner: str) -> None:
        """Take the next instant of an owner off the list: it is happening."""
        heapq.heappop(self._due[owner])

    def _still_true(self, entry: tuple[float, int, str, str]) -> bool:
        at, _, kind, key = entry
        if kind == "schedule":
            row = self.store["schedules"].get(key)
            return row is not None and row["schedule_status"] == "scheduled" and row["schedule_at"] == at
        if kind == "late":
            return key in self.store["late"]
        hook = self.store["webhooks"].get(key)
        return hook is not None and hook["resend_at"] == at

    # -------------------------------------------------------------- payments

    def imp_uid(self, prefix: str = "imps_") -> str:
        """A new payment id: `imps_` and twelve digits for REST payments, `imp_` for the window's."""
        while (made := f"{prefix}{secrets.randbelow(10**12):012d}") in self.store["payments"]:
            pass
        return made

    def keep_payment(self, payment: Record) -> Record:
        """Keep a new payment and find it again by its order number and its key."""
        self.store.put("payments", payment["imp_uid"], payment)
        self._index(payment)
        return payment

    def payments_of(self, merchant_uid: str) -> list[Record]:
        """Every payment of an order number, oldest first."""
        return [self.store["payments"][imp_uid] for imp_uid in self.by_order.get(merchant_uid, [])]

    def is_paid(self, merchant_uid: str) -> bool:
        """Whether an order number has been paid, refunded or not."""
        return any(row["status"] in ("paid", "cancelled") for row in self.payments_of(merchant_uid))

    def _index(self, payment: Record) -> None:
        self.by_order.setdefault(payment["merchant_uid"], []).append(payment["imp_uid"])
        if payment.get("customer_uid"):
            self.by_key.setdefault(payment["customer_uid"], []).append(payment["imp_uid"])

    def provider(self, body: dict[str, Any]) -> tuple[str, str]:
        """Provider and MID of a request's `pg`; a missing or odd one falls back to the default channel, silently."""
        name, _, mid = str(body.get("pg") or "").partition(".")
        for provider, default_mid in CHANNELS:
            if name == provider:
                return provider, mid or default_mid
        return CHANNELS[0]


CHANNELS = (
    ("nice", "nictest04m"),
    ("nice_v2", "iamport01m"),
    ("html5_inicis", "INIBillTst"),
    ("inicis", "INIBillTst"),
    ("kcp", "A52LD"),
    ("kcp_billing", "A52LD"),
    ("tosspayments", "iamporttest_4"),
    ("daou", "CTS17266"),
    ("ksnet", "2999199990"),
    ("welcome", "wpaybill01"),
    ("settle", "nxca_ks_gu"),
    ("settle_acc", "unknown"),
    ("danal_tpay", "9810030929"),
    ("danal", "A010002002"),
    ("kicc", "T5102001"),
    ("mobilians", "170622040674"),
    ("smartro_v2", "t_2302142m"),
    ("kakaopay", "TCSUBSCRIP"),
    ("naverpay", "naverpay-partner"),
    ("payco", "AUTOPAY"),
    ("tosspay_v2", "tosstest"),
    ("paymentwall", "paymentwall"),
    ("paypal_v2", "paypal_v2"),
    ("smilepay", "cnstest25m"),
)
"""Providers with the public test MID of each (facts.md 4.3); the first is the default channel."""
