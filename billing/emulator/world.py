"""One emulated account: its objects, its clock, and the instants at which something happens by itself."""

import asyncio
import secrets
from collections.abc import Callable, Iterable

from billing.emulator.agenda import NOBODY, Agenda, Due
from billing.emulator.by_hour import ByHour
from billing.emulator.clock import EmulatorClock
from billing.emulator.past import Past
from billing.emulator.settings import EmulatorSettings
from billing.emulator.store import Record, Store


class World:
    """What everything in the emulator works on.

    `changed` is set whenever something new may happen earlier than was known. `calls` are executed late; they may carry
    a card, so they live in memory only.
    """

    def __init__(self, settings: EmulatorSettings) -> None:
        self.settings = settings
        self.store = Store(settings.state_file)
        self.clock = EmulatorClock(self.store)
        self.past = Past(self.store, self.clock)
        self.changed = asyncio.Event()
        self.calls: dict[str, Callable[[], object]] = {}
        self._agenda = Agenda(self.clock, self._still_true)
        self._by_order: dict[str, list[str]] = {}
        self._by_key: dict[str, list[str]] = {}
        self._schedules_by_key: dict[str, list[str]] = {}
        self._schedules_by_hour = ByHour()
        self._payments_by_hour = ByHour()
        for payment in self.store["payments"].values():
            self._index(payment)
        for schedule in self.store["schedules"].values():
            self._schedules_by_key.setdefault(schedule["customer_uid"], []).append(schedule["merchant_uid"])
            self._schedules_by_hour.enter(schedule["schedule_at"], schedule["merchant_uid"])
            if schedule["schedule_status"] == "scheduled":
                self._expect_schedule(schedule)
        for imp_uid, late in self.store["late"].items():
            self.expect(late["customer_uid"], late["at"], "late", imp_uid)
        for merchant_uid, recovery in self.store["recoveries"].items():
            self.expect(recovery["customer_uid"], recovery["at"], "recovery", merchant_uid)
        for number, act in self.store["acts"].items():
            self.expect(act["owner"] or None, act["at"], "act", number)
        for key, hook in self.store["webhooks"].items():
            if hook["resend_at"] is not None:
                self.expect(hook["customer_uid"], hook["resend_at"], "webhook", key)

    @property
    def not_yet(self) -> int | None:
        """What stands for an instant of a schedule that has not come."""
        return 0 if self.settings.times_not_yet == "0" else None

    # -------------------------------------------------------------- instants

    def expect(self, customer_uid: str | None, at: float, kind: str, key: str) -> None:
        """Remember that something happens by itself at `at`, on that customer_uid's clock."""
        self._agenda.add(customer_uid or NOBODY, at, kind, key)
        self.changed.set()

    def next_due(self, customer_uid: str | None = None) -> Due | None:
        """The next thing that happens by itself, to one customer_uid or to anybody."""
        return self._agenda.next_of(customer_uid) if customer_uid else self._agenda.next_of_all()

    def take(self, due: Due) -> None:
        """Strike an instant off: it is happening."""
        self._agenda.take(due)

    def advance(self, seconds: float, customer_uid: str | None) -> None:
        """Move everybody's clock, or one customer_uid's own, forward."""
        self.clock.advance(seconds, customer_uid)
        if customer_uid:
            self._agenda.announce(customer_uid)
        self.changed.set()

    def _expect_schedule(self, schedule: Record) -> None:
        at = schedule["schedule_at"] + self.settings.lag_seconds
        self.expect(schedule["customer_uid"], at, "schedule", schedule["merchant_uid"])

    def _still_true(self, at: float, kind: str, key: str) -> bool:
        if kind == "schedule":
            row = self.store["schedules"].get(key)
            due_at = row["schedule_at"] + self.settings.lag_seconds if row else None
            return row is not None and row["schedule_status"] == "scheduled" and due_at == at
        if kind in ("late", "act"):
            return key in self.store["late" if kind == "late" else "acts"]
        if kind == "call":
            return key in self.calls
        if kind == "recovery":
            recovery = self.store["recoveries"].get(key)
            return recovery is not None and bool(recovery["at"] == at)
        hook = self.store["webhooks"].get(key)
        return hook is not None and bool(hook["resend_at"] == at)

    # -------------------------------------------------------------- payments and schedules

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

    def change_payment(self, payment: Record) -> Record:
        """Keep what became of a payment."""
        self._enter_hours(payment)
        return self.store.put("payments", payment["imp_uid"], payment)

    def payments_around(self, start: int, end: int) -> list[Record]:
        """Every payment that something happened to from `start` to `end`, and perhaps some of the hours around them."""
        return self._stored("payments", self._payments_by_hour.between(start, end))

    def payments_of(self, merchant_uid: str) -> list[Record]:
        """Every payment of an order number, oldest first."""
        return self._stored("payments", self._by_order.get(merchant_uid, []))

    def payments_by(self, customer_uid: str) -> list[Record]:
        """Every payment of a customer_uid, oldest first."""
        return self._stored("payments", self._by_key.get(customer_uid, []))

    def is_paid(self, merchant_uid: str) -> bool:
        """Whether an order number has been paid, refunded or not."""
        return any(row["paid_at"] for row in self.payments_of(merchant_uid))

    def keep_schedule(self, schedule: Record) -> Record:
        """Keep a schedule that waits for its time, new or set anew."""
        if schedule["merchant_uid"] not in self.store["schedules"]:
            self._schedules_by_key.setdefault(schedule["customer_uid"], []).append(schedule["merchant_uid"])
        self._schedules_by_hour.enter(schedule["schedule_at"], schedule["merchant_uid"])
        self.store.put("schedules", schedule["merchant_uid"], schedule)
        self._expect_schedule(schedule)
        return schedule

    def schedules_by(self, customer_uid: str) -> list[Record]:
        """Every schedule of a customer_uid, oldest first."""
        return self._stored("schedules", self._schedules_by_key.get(customer_uid, []))

    def schedules_between(self, start: int, end: int) -> list[Record]:
        """Every schedule from `start` to before `end`."""
        rows = self._stored("schedules", self._schedules_by_hour.between(start, end))
        return [row for row in rows if start <= row["schedule_at"] < end]

    def _index(self, payment: Record) -> None:
        self._by_order.setdefault(payment["merchant_uid"], []).append(payment["imp_uid"])
        if payment.get("customer_uid"):
            self._by_key.setdefault(payment["customer_uid"], []).append(payment["imp_uid"])
        self._enter_hours(payment)

    def _enter_hours(self, payment: Record) -> None:
        for name in ("started_at", "paid_at", "failed_at", "cancelled_at"):
            if payment[name]:
                self._payments_by_hour.enter(payment[name], payment["imp_uid"])

    def _stored(self, kind: str, keys: Iterable[str]) -> list[Record]:
        # A change that was undone, or another time, leaves ids behind: they name nothing, or what was kept later.
        rows = self.store[kind]
        return [rows[key] for key in dict.fromkeys(keys) if key in rows]
