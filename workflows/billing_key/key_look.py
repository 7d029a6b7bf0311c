"""What PortOne has on a billing key and nobody here ordered; and taking such a charge back, with proof."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from temporalio import workflow

from billing.domain import takeover
from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.known_order import AskedOrder, Known
from billing.domain.money import Money
from billing.domain.takeover import KeyPayment, Standing
from billing.domain.verdict import Expected, Finding, Verdict, judge
from workflows import policies
from workflows.billing_key.contracts import KeyPaymentsAsked, KeyPaymentsFound
from workflows.policies import ActivityOptions
from workflows.ports import KeyActivities, LedgerActivities, PaymentActivities, ScheduleActivities

BY_SCHEDULE = "payment.scheduled"
"""PortOne's `customer_uid_usage` of a payment that a schedule made."""

_TAKE_BACK_TRIES = 3
"""A charge of somebody else that is not shown revoked after so many calls stands: nobody waits for it here."""

Revoke = Callable[[str, str, str], Awaitable[bool]]
"""Revokes the schedule of (customer_uid, merchant_uid), with a summary; whether PortOne answered."""


@dataclass(frozen=True, slots=True)
class Life:
    """Who asks: the incarnation, the customer_uid it was started under, and whether it has ended."""

    subscription_id: str
    customer_uid: str
    ended: bool = False

    def has_left(self, known: Known) -> bool:
        """Whether an order is ours and nothing of ours may charge it any more.

        Its life has ended, or it was started under the same customer_uid, where one life runs at a time.
        """
        if known.order is None or known.subscription_id is None:
            return False
        if known.subscription_id == self.subscription_id:
            return self.ended
        return not known.living or known.customer_uid == self.customer_uid


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What became of a schedule that was to be taken back.

    `row` is PortOne's, read after the call. `revoked` says that it will not run; otherwise it stands still, or has run,
    and `verdict` is what its payments prove.
    """

    row: ScheduleFact
    revoked: bool = False
    verdict: Verdict | None = None

    @property
    def paid(self) -> PaymentFact | None:
        """The payment that holds money by it, where one does."""
        took = self.verdict is not None and self.verdict.finding in (Finding.PAID, Finding.MISMATCH)
        return self.verdict.payment if took and self.verdict is not None else None


@dataclass(frozen=True, slots=True)
class OnKey:
    """The charges that are scheduled on a key, or have run, earliest first.

    `foreign` are those that no order of ours stands for. `left` are ours of a life that is over and still to run: the
    run that registered them was terminated, or could not take them back. `ordered_by` names the life behind each order
    number of ours.
    """

    foreign: Sequence[ScheduleFact] = ()
    left: Sequence[ScheduleFact] = ()
    ordered_by: Mapping[str, str] = field(default_factory=dict)

    @property
    def open(self) -> list[ScheduleFact]:
        """The foreign ones that are still to run."""
        return [row for row in self.foreign if row.status != "executed"]


async def scheduled_on(customer_uid: str, options: ActivityOptions, life: Life) -> OnKey:
    """What is scheduled on a key.

    Raises:
        ActivityError: PortOne could not be asked, where `options` give up.
    """
    rows: Sequence[ScheduleFact] = await workflow.execute_activity_method(
        KeyActivities.list_key_schedules, customer_uid, summary=f"what is scheduled on {customer_uid}", **options
    )
    judged = list(zip(rows, await _known([AskedOrder(row.merchant_uid) for row in rows]), strict=True))
    foreign = [row for row, known in judged if known.order is None]
    left = [row for row, known in judged if row.status != "executed" and life.has_left(known)]
    lives = {row.merchant_uid: known.subscription_id for row, known in judged if known.order is not None}
    return OnKey(foreign, left, {number: life for number, life in lives.items() if life is not None})


async def foreign_payments(
    asked: KeyPaymentsAsked, schedules: Sequence[ScheduleFact] = ()
) -> tuple[list[KeyPayment], bool]:
    """The payments of a key that no order of ours stands for; and whether PortOne has any payment of it at all.

    A schedule that has run and whose payment the list does not show yet is looked up by its order number.
    """
    found: KeyPaymentsFound = await workflow.execute_activity_method(
        KeyActivities.list_key_payments, asked, summary=f"what {asked.customer_uid} has paid", **policies.ASK
    )
    rows, listed = list(found.payments), {each.payment.merchant_uid for each in found.payments}
    for ran in schedules:
        lately = ran.status == "executed" and ran.payment_status != "failed" and ran.schedule_at >= asked.since
        if lately and ran.merchant_uid not in listed:
            rows += [KeyPayment(row, BY_SCHEDULE) for row in await _rows(ran.merchant_uid)]
    known = await _known([AskedOrder(each.payment.merchant_uid, each.payment.imp_uid) for each in rows])
    return [row for row, each in zip(rows, known, strict=True) if each.order is None], found.any_at_all


async def take_back(row: ScheduleFact, unschedule: Revoke, amount: Money | None = None) -> TakenBack:
    """Take a charge of somebody else back: its order number is named, then its row is read, which says who won.

    What ran first is proven by its payments, judged against `amount` (what the row says, without one).
    """
    now: ScheduleFact | None = row
    for _ in range(_TAKE_BACK_TRIES):
        await unschedule(row.customer_uid, row.merchant_uid, f"take back {row.merchant_uid}")
        now = await find_row(row.merchant_uid)
        if now is None or now.status == "revoked":
            return TakenBack(now or row, revoked=True)
        if now.status == "executed":
            return TakenBack(now, verdict=await what_it_came_to(now, amount))
    return TakenBack(now or row)


async def take_all_back(
    rows: Sequence[ScheduleFact], unschedule: Revoke, amount: Money | None = None
) -> list[TakenBack]:
    """Take each of these back, some at a time, since somebody waits; in their order."""
    backs: list[TakenBack] = []
    for begin in range(0, len(rows), policies.TAKE_BACK_AT_ONCE):
        some = rows[begin : begin + policies.TAKE_BACK_AT_ONCE]
        backs += await asyncio.gather(*(take_back(row, unschedule, amount) for row in some))
    return backs


def told(back: TakenBack) -> Standing:
    """What became of a schedule that was to be taken back, as it is told."""
    payment = back.paid
    if payment is not None:
        return takeover.of_payment(payment)
    return takeover.of_schedule(back.row, "revoked" if back.revoked else None)


async def what_it_came_to(row: ScheduleFact, amount: Money | None = None) -> Verdict:
    """What a schedule that has run came to, by its payments; PENDING while PortOne does not show them yet."""
    expected = Expected(row.merchant_uid, amount or row.amount, row.customer_uid)
    return judge(expected, await _rows(row.merchant_uid), row)


async def proven(payment: PaymentFact, amount: Money, customer_uid: str) -> Verdict:
    """A payment of somebody else, looked up by its order number and judged as one of ours would be."""
    return judge(Expected(payment.merchant_uid, amount, customer_uid), await _rows(payment.merchant_uid), None, payment)


async def find_row(merchant_uid: str) -> ScheduleFact | None:
    """PortOne's schedule row of an order number, or None."""
    return await workflow.execute_activity_method(
        ScheduleActivities.find_schedule, merchant_uid, summary=f"read schedule {merchant_uid}", **policies.ASK
    )


async def _rows(merchant_uid: str) -> Sequence[PaymentFact]:
    return await workflow.execute_activity_method(
        PaymentActivities.find_payments, merchant_uid, summary=f"look up {merchant_uid}", **policies.ASK
    )


async def _known(asked: Sequence[AskedOrder]) -> Sequence[Known]:
    if not asked:
        return ()
    return await workflow.execute_activity_method(
        LedgerActivities.known_orders, asked, summary=f"which of {len(asked)} orders are ours", **policies.LEDGER
    )
