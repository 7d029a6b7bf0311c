"""A PortOne of plain Python: keys, payments and schedules of one merchant, and what goes wrong on the way to them.

Held against what facts.md says of each call: an order number is paid once, a schedule runs once, a revoked or failed
one stands again when it is asked to, a refund needs the balance that was read. What a call does and whether it is
answered are two things, and each may go wrong.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from temporalio.exceptions import ApplicationError

from billing.domain.facts import BillingKeyFact, CancellationFact, PaymentFact, ScheduleFact
from billing.domain.money import Money
from billing.domain.verdict import net_amount
from chaos.machine.loop import VirtualLoop
from chaos.machine.mishaps import (
    Card,
    Fault,
    Kind,
    RefusedError,
    Row,
    Shelf,
    TurnedAwayError,
    UnansweredError,
    Webhooks,
)

LATENCY_SECONDS = 0.05
WEBHOOK_AFTER_SECONDS = 1.0
PROVIDER = "nice"


class PortOne:
    """One merchant's account.

    Args:
        loop: whose clock it lives by.
        tell: is called with a payment whose webhook arrives.
    """

    def __init__(self, loop: VirtualLoop, tell: Callable[[PaymentFact], None]) -> None:
        self._loop = loop
        self._tell = tell
        self._payments: Shelf[PaymentFact] = Shelf()
        self._schedules: Shelf[ScheduleFact] = Shelf()
        self._keys: Shelf[BillingKeyFact] = Shelf()
        self._numbers = 0
        self.cards: dict[str, Card] = {}
        """What each key is answered; a key is issued with GOOD unless it is named here."""
        self.faults: list[Fault] = []
        self.webhooks: list[Webhooks] = []
        self.struck: list[str] = []
        """What went wrong, and when."""

    # ------------------------------------------------------------ what it holds

    @property
    def payments(self) -> tuple[PaymentFact, ...]:
        """Every payment."""
        return tuple(self._payments.rows.values())

    @property
    def schedules(self) -> tuple[ScheduleFact, ...]:
        """Every schedule."""
        return tuple(self._schedules.rows.values())

    # ------------------------------------------------------------ looks

    async def find_payments(self, merchant_uid: str) -> list[PaymentFact]:
        """Every payment of an order number."""
        shown = (await self._shown("payments", self._payments)).values()
        return [row for row in shown if row.merchant_uid == merchant_uid]

    async def find_payment(self, imp_uid: str) -> PaymentFact | None:
        """A payment by its id."""
        return (await self._shown("payment", self._payments)).get(imp_uid)

    async def find_schedule(self, merchant_uid: str) -> ScheduleFact | None:
        """A schedule by its order number."""
        return (await self._shown("schedule_row", self._schedules)).get(merchant_uid)

    async def find_key(self, customer_uid: str) -> BillingKeyFact | None:
        """A key by its name."""
        return (await self._shown("key", self._keys)).get(customer_uid)

    async def on_key(self, customer_uid: str) -> list[ScheduleFact]:
        """The schedules of a key, but for revoked ones."""
        rows = (await self._shown("on_key", self._schedules)).values()
        found = [row for row in rows if row.customer_uid == customer_uid and row.status != "revoked"]
        return sorted(found, key=lambda row: (row.schedule_at, row.merchant_uid))

    async def paid_by(self, customer_uid: str) -> list[PaymentFact]:
        """The payments of a key."""
        rows = (await self._shown("on_key", self._payments)).values()
        return [row for row in rows if row.customer_uid == customer_uid]

    async def _shown(self, call: str, shelf: Shelf[Row]) -> dict[str, Row]:
        await asyncio.sleep(LATENCY_SECONDS)
        fault = self._take(call)
        if fault is None:
            return shelf.rows
        if fault.kind is Kind.STALE:
            return shelf.at(self._loop.time() - fault.seconds)
        raise ApplicationError("PortOne does not answer", type="PortOneUnavailable")

    # ------------------------------------------------------------ changes

    async def again(self, merchant_uid: str, customer_uid: str, amount: Money, name: str) -> PaymentFact:
        """Charge a key now."""

        def charge() -> PaymentFact:
            if self._is_paid(merchant_uid):
                raise RefusedError("이미 결제가 이루어진 merchant_uid입니다.")
            if customer_uid not in self._keys.rows:
                raise RefusedError("등록되지 않은 customer_uid입니다.")
            return self._attempt(merchant_uid, customer_uid, amount, name, tells="paid")

        return await self._do("again", charge)

    async def onetime(self, merchant_uid: str, card: Card, amount: Money, customer_uid: str | None) -> PaymentFact:
        """Charge a card now, and keep it as a key where one is named and it is paid."""

        def charge() -> PaymentFact:
            if self._is_paid(merchant_uid):
                raise RefusedError("이미 결제가 이루어진 merchant_uid입니다.")
            row = self._decided(card, merchant_uid, customer_uid, amount, "key-in")
            if customer_uid is not None and row.status == "paid":
                self.hold_key(customer_uid, card)
            return row

        return await self._do("onetime", charge)

    async def retry(self, merchant_uid: str) -> PaymentFact:
        """Charge a failed or revoked schedule now."""

        def charge() -> PaymentFact:
            row = self._schedules.rows.get(merchant_uid)
            if row is None or row.status == "scheduled" or self._is_paid(merchant_uid):
                raise RefusedError("재시도할 수 없는 예약입니다.")
            return self._run(row)

        return await self._do("retry", charge)

    async def schedule(self, merchant_uid: str, customer_uid: str, at: datetime, amount: Money) -> ScheduleFact:
        """Register a charge."""

        def register() -> ScheduleFact:
            if merchant_uid in self._schedules.rows or self._is_paid(merchant_uid):
                raise RefusedError("이미 등록된 merchant_uid입니다.")
            if customer_uid not in self._keys.rows:
                raise RefusedError("등록되지 않은 customer_uid입니다.")
            return self._stand(ScheduleFact(merchant_uid, customer_uid, "scheduled", at, amount))

        return await self._do("schedule", register)

    async def reschedule(self, merchant_uid: str, at: datetime) -> ScheduleFact:
        """Let a failed or revoked schedule stand again."""

        def stand() -> ScheduleFact:
            row = self._schedules.rows.get(merchant_uid)
            if row is None or row.status == "scheduled" or self._is_paid(merchant_uid):
                raise RefusedError("다시 예약할 수 없습니다.")
            return self._stand(replace(row, status="scheduled", schedule_at=at, payment_status=None, imp_uid=None))

        return await self._do("reschedule", stand)

    async def unschedule(self, merchant_uid: str) -> ScheduleFact | None:
        """Revoke a schedule; None where nothing stands."""

        def revoke() -> ScheduleFact | None:
            row = self._schedules.rows.get(merchant_uid)
            if row is None or row.status != "scheduled":
                return None
            return self._keep_schedule(replace(row, status="revoked"))

        return await self._do("unschedule", revoke)

    async def issue(self, customer_uid: str, card: Card) -> BillingKeyFact:
        """Issue a key."""
        return await self._do("issue", lambda: self.hold_key(customer_uid, card))

    async def delete(self, customer_uid: str) -> BillingKeyFact | None:
        """Delete a key, and all that is scheduled on it."""

        def delete() -> BillingKeyFact | None:
            key = self._keys.rows.get(customer_uid)
            self._keys.put(customer_uid, None, self._loop.time())
            return key

        return await self._do("delete", delete)

    async def cancel(self, imp_uid: str, amount: int, checksum: int, reason: str | None) -> PaymentFact:
        """Refund, while the balance is what was read."""

        def refund() -> PaymentFact:
            row = self._payments.rows.get(imp_uid)
            if row is None or net_amount(row) != checksum or not 0 < amount <= checksum:
                raise RefusedError("취소 가능 금액이 다릅니다.")
            return self.refund(imp_uid, amount, reason)

        return await self._do("cancel", refund)

    async def _do(self, call: str, act: Callable[[], Row]) -> Row:
        await asyncio.sleep(LATENCY_SECONDS)
        fault = self._take(call)
        if fault is None:
            return act()
        if fault.kind is Kind.AFTER:
            self._quietly(act)
        elif fault.kind is Kind.LATE:
            self._loop.call_later(fault.seconds, self._quietly, act)
        await asyncio.sleep(LATENCY_SECONDS)
        raise TurnedAwayError if fault.kind is Kind.TURNED_AWAY else UnansweredError

    @staticmethod
    def _quietly(act: Callable[[], object]) -> None:
        try:
            act()
        except RefusedError:
            return

    # ------------------------------------------------------------ what happens there

    def approve(self, imp_uid: str) -> None:
        """A payment that failed or is undecided is approved after all."""
        row = self._payments.rows[imp_uid]
        if row.status in ("failed", "ready") and not self._is_paid(row.merchant_uid):
            self._keep_payment(replace(row, status="paid", paid_at=self._now, failed_at=None))

    def hold_key(self, customer_uid: str, card: Card) -> BillingKeyFact:
        """A key is issued, whoever asks for it."""
        self.cards[customer_uid] = card
        key = BillingKeyFact(customer_uid=customer_uid, pg_provider=PROVIDER, inserted_at=self._now)
        self._keys.put(customer_uid, key, self._loop.time())
        return key

    def register(self, merchant_uid: str, customer_uid: str, at: datetime, amount: Money) -> None:
        """Somebody else's loop registers a charge on a key."""
        self._stand(ScheduleFact(merchant_uid, customer_uid, "scheduled", at.replace(microsecond=0), amount))

    def pay(self, merchant_uid: str, customer_uid: str, amount: Money) -> PaymentFact:
        """Somebody charges a key in the console, though the number may be paid."""
        return self._attempt(merchant_uid, customer_uid, amount, "console", tells="paid")

    def execute(self, merchant_uid: str) -> None:
        """Somebody runs a schedule in the console, before its day."""
        row = self._schedules.rows.get(merchant_uid)
        if row is not None and row.status == "scheduled":
            self._run(row)

    def revoke(self, merchant_uid: str) -> None:
        """Somebody revokes a schedule in the console."""
        row = self._schedules.rows.get(merchant_uid)
        if row is not None and row.status == "scheduled":
            self._keep_schedule(replace(row, status="revoked"))

    def refund(self, imp_uid: str, amount: int, reason: str | None = None) -> PaymentFact:
        """So much of a payment goes back, whoever asks for it."""
        row = self._payments.rows[imp_uid]
        self._numbers += 1
        back = CancellationFact(f"cancel_{self._numbers}", amount, reason, self._now)
        changed = replace(
            row,
            status="cancelled",
            cancelled_amount=row.cancelled_amount + amount,
            cancellations=(*row.cancellations, back),
        )
        return self._keep_payment(changed)

    def _attempt(self, merchant_uid: str, customer_uid: str, amount: Money, name: str, *, tells: str) -> PaymentFact:
        may_pay = customer_uid in self._keys.rows and not (tells == "all" and self._is_paid(merchant_uid))
        card = self.cards.get(customer_uid, Card.GOOD) if may_pay else Card.DECLINED
        # A failure is told of only where a schedule ran (facts.md 3.3).
        return self._decided(card, merchant_uid, customer_uid, amount, name, tells_failures=tells == "all")

    def _decided(
        self,
        card: Card,
        merchant_uid: str,
        customer_uid: str | None,
        amount: Money,
        name: str,
        *,
        tells_failures: bool = False,
    ) -> PaymentFact:
        self._numbers += 1
        status = {Card.GOOD: "paid", Card.DECLINED: "failed", Card.UNDECIDED: "ready"}[card]
        row = PaymentFact(
            imp_uid=f"imps_{self._numbers:06}",
            merchant_uid=merchant_uid,
            status=status,
            amount=amount,
            customer_uid=customer_uid,
            pg_provider=PROVIDER,
            paid_at=self._now if status == "paid" else None,
            failed_at=self._now if status == "failed" else None,
            fail_reason="한도초과" if status == "failed" else None,
            name=name,
        )
        return self._keep_payment(row, told=status == "paid" or (status == "failed" and tells_failures))

    def _run(self, row: ScheduleFact) -> PaymentFact:
        payment = self._attempt(row.merchant_uid, row.customer_uid, row.amount, "", tells="all")
        shown = None if payment.status == "ready" else payment.status
        self._keep_schedule(
            replace(
                row,
                status="executed",
                payment_status=shown,
                imp_uid=payment.imp_uid,
                fail_reason=payment.fail_reason,
            )
        )
        return payment

    def _stand(self, row: ScheduleFact) -> ScheduleFact:
        self._keep_schedule(row)
        wait = max(0.0, (row.schedule_at - self._loop.now).total_seconds())
        self._loop.call_later(wait, self._come_due, row.merchant_uid, row.schedule_at)
        return row

    def _come_due(self, merchant_uid: str, at: datetime) -> None:
        row = self._schedules.rows.get(merchant_uid)
        if row is not None and row.status == "scheduled" and row.schedule_at == at:
            self._run(row)

    # ------------------------------------------------------------ kept and told

    def _keep_payment(self, row: PaymentFact, *, told: bool = True) -> PaymentFact:
        self._payments.put(row.imp_uid, row, self._loop.time())
        if told:
            self._webhook(row)
        return row

    def _keep_schedule(self, row: ScheduleFact) -> ScheduleFact:
        self._schedules.put(row.merchant_uid, row, self._loop.time())
        return row

    def _webhook(self, row: PaymentFact) -> None:
        how = self.webhooks.pop(0) if self.webhooks else None
        if how is not None:
            self.struck.append(f"{self._now:%m-%d %H:%M:%S} webhook {how.value}")
        if how is Webhooks.LOST:
            return
        wait = 3600.0 if how is Webhooks.DELAYED else WEBHOOK_AFTER_SECONDS
        for _ in range(2 if how is Webhooks.TWICE else 1):
            self._loop.call_later(wait, self._tell, row)

    def _take(self, call: str) -> Fault | None:
        fault = next((each for each in self.faults if each.call == call), None)
        if fault is None:
            return None
        fault.times -= 1
        if fault.times <= 0:
            self.faults.remove(fault)
        self.struck.append(f"{self._now:%m-%d %H:%M:%S} {call} {fault.kind.value} {fault.seconds:g}")
        return fault

    def _is_paid(self, merchant_uid: str) -> bool:
        return any(row.merchant_uid == merchant_uid and row.status == "paid" for row in self._payments.rows.values())

    @property
    def _now(self) -> datetime:
        return self._loop.now.replace(microsecond=0)
