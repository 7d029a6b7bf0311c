"""PortOne where the recording knows nothing: a fake one that charges as the recording's own attempts came out."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace

from billing.domain.facts import BillingKeyFact, PaymentFact, ScheduleFact
from billing.domain.money import Money
from chaos.machine.loop import VirtualLoop
from chaos.machine.portone import PortOne
from chaos.what_if.evidence import Evidence, lot_of

_UNPAID = {"failed": "declined", "ready": "left undecided"}


class AssumedPortOne(PortOne):
    """Holds the orders that today's code treats otherwise than the recording; each starts from what was recorded.

    The so-manieth attempt of a period comes to what the so-manieth came to in the recording, one beyond them to what
    the last one came to; a period of which the recording has no attempt is paid. What is charged is today's amount.

    Args:
        loop: whose clock it lives by.
        evidence: the recording.
        tell: is called with a payment whose webhook arrives.
        made_elsewhere: how many attempts of a period were made on orders that are as recorded.
        assume: is called with each assumption.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        evidence: Evidence,
        tell: Callable[[PaymentFact], None],
        made_elsewhere: Callable[[Hashable], int],
        assume: Callable[[str, str], None],
    ) -> None:
        super().__init__(loop, tell)
        self._evidence = evidence
        self._made_elsewhere = made_elsewhere
        self._assume = assume

    def take(self, payments: Iterable[PaymentFact], schedule: ScheduleFact | None) -> None:
        """Go on with an order from here: what stands runs on its day."""
        for row in payments:
            self._keep_payment(row, told=False)
        if schedule is not None and schedule.status == "scheduled":
            self._stand(schedule)
        elif schedule is not None:
            self._keep_schedule(schedule)

    def take_key(self, key: BillingKeyFact) -> None:
        """Hold a billing key."""
        self._keys.put(key.customer_uid, key, self._loop.time())

    def need_key(self, customer_uid: str) -> None:
        """Hold a key of that name, whichever it is: an order is charged on it."""
        if customer_uid not in self._keys.rows:
            self.take_key(BillingKeyFact(customer_uid=customer_uid, inserted_at=self._now))

    def payments_of(self, merchant_uid: str) -> list[PaymentFact]:
        """Every payment of an order number."""
        return [row for row in self.payments if row.merchant_uid == merchant_uid]

    def schedule_of(self, merchant_uid: str) -> ScheduleFact | None:
        """The schedule of an order number."""
        return self._schedules.rows.get(merchant_uid)

    def gives_back(self, row: PaymentFact) -> None:
        """What was given back of a payment in the recording, and not by the run itself, is given back here."""
        held = next((each for each in self.payments if each.imp_uid == row.imp_uid), None)
        known = {each.cancellation_id for each in held.cancellations} if held is not None else set()
        for each in row.cancellations:
            left = held.amount.amount - held.cancelled_amount if held is not None else 0
            if held is not None and each.cancellation_id not in known and 0 < each.amount <= left:
                held = self._keep_payment(
                    replace(
                        held,
                        status="cancelled",
                        cancelled_amount=held.cancelled_amount + each.amount,
                        cancellations=(*held.cancellations, each),
                    )
                )

    def _attempt(self, merchant_uid: str, customer_uid: str, amount: Money, name: str, *, tells: str) -> PaymentFact:
        lot = lot_of(merchant_uid)
        number = self._made_elsewhere(lot) + sum(lot_of(row.merchant_uid) == lot for row in self.payments)
        known, status = self._evidence.attempt(lot, number), self._comes_to(lot, merchant_uid, number)
        recorded = known if self._evidence.has_attempt(lot, number) else None
        self._numbers += 1
        row = PaymentFact(
            imp_uid=recorded.imp_uid if recorded is not None else f"assumed_{self._numbers}",
            merchant_uid=merchant_uid,
            status=status,
            amount=amount,
            customer_uid=customer_uid,
            pg_provider=known.pg_provider if known is not None else None,
            paid_at=self._now if status == "paid" else None,
            failed_at=self._now if status == "failed" else None,
            fail_reason=(known.fail_reason if known is not None else None) if status == "failed" else None,
            name=name,
        )
        return self._keep_payment(row, told=status == "paid" or (status == "failed" and tells == "all"))

    def _comes_to(self, lot: Hashable, merchant_uid: str, number: int) -> str:
        known = self._evidence.attempt(lot, number)
        status = "paid" if known is None or known.status == "cancelled" else known.status
        word = _UNPAID.get(status, "paid")
        if known is None:
            why = "the recording has no attempt of it"
        elif self._evidence.has_attempt(lot, number):
            why = "as in the recording"
        else:
            why = "as the recording's last attempt of it"
        self._assume(merchant_uid, f"attempt {number + 1} is {word}, {why}")
        return status if status in ("paid", "failed", "ready") else "paid"
