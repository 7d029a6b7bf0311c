"""Schedules: registered, read, booked again, revoked."""

import asyncio
from datetime import timedelta

from temporalio import activity

from activities.cards import CARD_IS_GONE, VaultedCards
from activities.errors import of_portone
from activities.notices import NoticeUrls
from billing import fail_points, portone
from billing.domain.facts import ScheduleFact
from billing.domain.outcomes import CARD_GONE, ScheduleOutcome
from billing.domain.records import ChargeRegistered
from billing.ledger import Ledger, LedgerError
from billing.portone import PortOneClient, PortOneError
from workflows import ports
from workflows.billing_key.contracts import Unscheduled
from workflows.contracts import RegisterSchedule, Reschedule, ScheduleAnswer, Unschedule

WINDOW_DAYS = 89
"""PortOne lists schedules in windows of at most three months (facts.md 2.3)."""

WINDOWS = 5
"""A little over a year ahead: further than this project ever registers a charge."""


_LEDGER_SECONDS = 10
"""A ledger that hangs must not turn what PortOne has answered into something that nobody knows."""


class ScheduleActivities(ports.ScheduleActivities):
    """Calls the `/subscribe/payments/schedule` family; what PortOne has registered is shown in the ledger at once."""

    def __init__(
        self, client: PortOneClient, ledger: Ledger, cards: VaultedCards, notices: NoticeUrls, *, product_type: str
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._cards = cards
        self._notices = notices
        self._product_type = product_type

    @activity.defn
    async def register_schedule(self, order: RegisterSchedule) -> ScheduleAnswer:
        """Register one charge, issuing the key in the same call when a card comes with it."""
        card = None
        if order.vault_handle is not None:
            card = await self._cards.open(order.vault_handle)
            if card is None and not await self._has_key(order.customer_uid):
                return ScheduleAnswer(outcome=ScheduleOutcome.REFUSED, code=CARD_GONE, message=CARD_IS_GONE)
        item = portone.ScheduleItem(
            merchant_uid=order.merchant_uid,
            amount=order.amount,
            name=order.name,
            schedule_at=order.schedule_at,
            tax_free=order.tax_free or None,
            vat_amount=order.vat_amount,
            buyer_name=order.customer.name,
            buyer_email=order.customer.email,
            buyer_tel=order.customer.tel,
            notice_url=self._notices.of(order.workflow_id, order.merchant_uid),
            product_type=self._product_type,
        )
        request = portone.ScheduleRequest(
            customer_uid=order.customer_uid,
            schedules=(item,),
            card=card,
            customer_id=order.customer.id if card else None,
            channel_key=order.channel.channel_key if card else None,
            pg=order.channel.pg if card else None,
        )
        answer = _translated(await self._client.schedule(request))
        if order.vault_handle is not None and answer.outcome in (ScheduleOutcome.REGISTERED, ScheduleOutcome.REFUSED):
            await self._cards.discard(order.vault_handle)
        if answer.outcome is ScheduleOutcome.REGISTERED and order.records is not None:
            return answer.model_copy(update={"recorded": await self._record(order.customer_uid, order.records)})
        return answer

    async def _record(self, customer_uid: str, registered: ChargeRegistered) -> bool:
        """Whether the ledger shows that a charge is registered; where it cannot be written now, the run writes it.

        Should this process die before it, nobody knows the answer of the call, and the row is read back.
        """
        if fail_points.ARE_ON:
            fail_points.reach("before record", customer_uid, registered.merchant_uid)
        try:
            async with asyncio.timeout(_LEDGER_SECONDS):
                recorded = await self._ledger.record_registered(registered)
        except (LedgerError, TimeoutError):
            return False
        if fail_points.ARE_ON:
            fail_points.reach("after record", customer_uid, registered.merchant_uid)
        return recorded

    async def _has_key(self, customer_uid: str) -> bool:
        """Whether an earlier sending of the card has become a key; then its charge is registered without the card."""
        try:
            return await self._client.find_billing_key(customer_uid) is not None
        except PortOneError as error:
            raise of_portone(error) from None

    @activity.defn
    async def find_schedule(self, merchant_uid: str) -> ScheduleFact | None:
        """The schedule row, or None when PortOne has none."""
        return await schedule_of(self._client, merchant_uid)

    @activity.defn
    async def reschedule(self, order: Reschedule) -> ScheduleAnswer:
        """Book a failed or revoked schedule again."""
        return _translated(await self._client.reschedule(order.merchant_uid, order.schedule_at))

    @activity.defn
    async def unschedule(self, order: Unschedule) -> Unscheduled:
        """Revoke one order number; says how many tries before this one got no answer."""
        try:
            revoked = await self._client.unschedule(order.customer_uid, [order.merchant_uid])
        except PortOneError as error:
            raise of_portone(error) from None
        return Unscheduled(row=revoked[0].fact() if revoked else None, unanswered=activity.info().attempt - 1)

    @activity.defn
    async def has_open_schedules(self, customer_uid: str) -> bool:
        """Whether PortOne still has a charge scheduled on this key, from the day before the workflow's instant on."""
        start = activity.info().current_attempt_scheduled_time - timedelta(days=1)
        try:
            for _ in range(WINDOWS):
                end = start + timedelta(days=WINDOW_DAYS)
                page = await self._client.list_billing_key_schedules(
                    customer_uid, start=start, end=end, status="scheduled"
                )
                if page.items:
                    return True
                start = end
        except PortOneError as error:
            raise of_portone(error) from None
        return False


async def schedule_of(client: PortOneClient, merchant_uid: str) -> ScheduleFact | None:
    """The schedule of an order number, or None when PortOne has none.

    Raises:
        ApplicationError: PortOne could not be asked.
    """
    try:
        schedule = await client.find_schedule(merchant_uid)
    except PortOneError as error:
        raise of_portone(error) from None
    return schedule.fact() if schedule else None


def _translated(answer: portone.ScheduleAnswer) -> ScheduleAnswer:
    # On these paths PortOne says no with 400 and 404 (facts.md 2.7): it understood, and asking again will not help.
    said_no = answer.outcome is ScheduleOutcome.NOT_EXECUTED and answer.http_status in (400, 404)
    return ScheduleAnswer(
        outcome=ScheduleOutcome.REFUSED if said_no else answer.outcome,
        schedule=answer.schedules[0].fact() if answer.schedules else None,
        code=None if answer.code is None else str(answer.code),
        message=answer.message,
    )
