"""Charges, look-ups and refunds."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from temporalio import activity

from activities.cards import CARD_IS_GONE, VaultedCards
from activities.errors import of_ledger, of_portone
from activities.notices import NoticeUrls
from activities.schedules import schedule_of
from billing import fail_points, portone
from billing.domain.facts import PaymentFact
from billing.domain.money import Money
from billing.domain.outcomes import CARD_GONE, ChargeOutcome
from billing.ledger import Ledger, LedgerConflictError
from billing.portone import PortOneClient, PortOneError
from workflows import ports
from workflows.contracts import (
    CancelAnswer,
    CancelPayment,
    ChargeAgain,
    ChargeAnswer,
    ChargeOnetime,
    LookUpOrder,
    OrderSeen,
    RetrySchedule,
)

ALREADY_SENT = "this sending of the order number has left before; only a look-up can tell what became of it"


LOOKS_AT_ONCE = 20
"""Look-ups of single payments that are under way at one time, where a list would hide test channels."""

REFUSED_REQUEST = frozenset({400, 404, 405})
"""HTTP answers to a request that is itself wrong: sent again, it is refused again."""


class PaymentActivities(ports.PaymentActivities):
    """Calls `/subscribe/payments/again`, `/onetime` and `/payments`.

    A charge is marked as sent in the ledger before its request leaves: if this process dies before the mark, nothing
    left; after it, the next one finds the mark and answers `unknown`, which the workflow closes by looking.
    """

    def __init__(
        self, client: PortOneClient, ledger: Ledger, cards: VaultedCards, notices: NoticeUrls, *, product_type: str
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._cards = cards
        self._notices = notices
        self._product_type = product_type

    @activity.defn
    async def charge_again(self, order: ChargeAgain) -> ChargeAnswer:
        """Charge a billing key now, at most once for each `send_no`."""
        request = portone.ChargeAgain(
            merchant_uid=order.merchant_uid,
            customer_uid=order.customer_uid,
            amount=order.amount,
            name=order.name,
            tax_free=order.tax_free or None,
            vat_amount=order.vat_amount,
            buyer_name=order.customer.name,
            buyer_email=order.customer.email,
            buyer_tel=order.customer.tel,
            channel_key=order.channel.channel_key,
            notice_url=self._notices.of(order.workflow_id, order.merchant_uid),
            product_type=self._product_type,
        )
        if not await self._may_send(order):
            return ChargeAnswer(outcome=ChargeOutcome.UNKNOWN, message=ALREADY_SENT)
        return _translated(await self._client.charge_again(request))

    @activity.defn
    async def retry_schedule(self, order: RetrySchedule) -> ChargeAnswer:
        """Let PortOne charge a failed or revoked schedule now, at most once for each `send_no`."""
        if not await self._may_send(order):
            return ChargeAnswer(outcome=ChargeOutcome.UNKNOWN, message=ALREADY_SENT)
        return _translated(await self._client.retry_schedule(order.merchant_uid))

    @activity.defn
    async def charge_onetime(self, order: ChargeOnetime) -> ChargeAnswer:
        """Charge a card from the vault now, at most once for each `send_no`."""
        card = await self._cards.open(order.vault_handle)
        if card is None:
            if not await self._may_send(order):
                # An earlier try of this activity may have sent it, and then the card was used or ran out.
                return ChargeAnswer(outcome=ChargeOutcome.UNKNOWN, message=ALREADY_SENT, worth_resending=False)
            return ChargeAnswer(
                outcome=ChargeOutcome.NOT_EXECUTED, code=CARD_GONE, message=CARD_IS_GONE, worth_resending=False
            )
        request = portone.ChargeOnetime(
            card=card,
            merchant_uid=order.merchant_uid,
            amount=order.amount,
            name=order.name,
            tax_free=order.tax_free or None,
            vat_amount=order.vat_amount,
            customer_uid=order.customer_uid,
            buyer_name=order.customer.name,
            buyer_email=order.customer.email,
            buyer_tel=order.customer.tel,
            pg=order.channel.pg,
            notice_url=self._notices.of(order.workflow_id, order.merchant_uid),
            product_type=self._product_type,
        )
        if not await self._may_send(order):
            return ChargeAnswer(outcome=ChargeOutcome.UNKNOWN, message=ALREADY_SENT)
        answer = await self._client.charge_onetime(request)
        if answer.outcome in (ChargeOutcome.PAID, ChargeOutcome.DECLINED):
            await self._cards.discard(order.vault_handle)
        return _translated(answer)

    @activity.defn
    async def find_payment(self, imp_uid: str) -> PaymentFact | None:
        """The payment of this imp_uid, or None when PortOne does not know it."""
        try:
            payment = await self._client.find_payment(imp_uid)
        except ValueError:
            # No payment has such an id; a webhook may say anything.
            return None
        except PortOneError as error:
            raise of_portone(error) from None
        return payment.fact() if payment else None

    @activity.defn
    async def find_payments(self, merchant_uid: str) -> Sequence[PaymentFact]:
        """Every payment of this order number."""
        try:
            found = await self._client.find_all_payments(merchant_uid)
        except PortOneError as error:
            raise of_portone(error) from None
        return [payment.fact() for payment in found]

    @activity.defn
    async def look_up_order(self, order: LookUpOrder) -> OrderSeen:
        """What was reported first, and the schedule last: a charge that runs in between shows in one of them."""
        reported = None if order.imp_uid is None else await self.find_payment(order.imp_uid)
        payments = await self.find_payments(order.merchant_uid)
        schedule = await schedule_of(self._client, order.merchant_uid) if order.with_schedule else None
        news = reported if reported not in payments else None
        return OrderSeen(payments=tuple(payments), reported=news, schedule=schedule)

    @activity.defn
    async def find_reported(self, imp_uids: Sequence[str]) -> Sequence[PaymentFact]:
        """Those that PortOne knows; one by one only where test channels are used, which the list may not show."""
        try:
            found = {row.imp_uid: row for row in await self._client.list_payments(imp_uids=imp_uids)}
            missing = [imp_uid for imp_uid in imp_uids if imp_uid not in found] if self._client.include_sandbox else []
            for first in range(0, len(missing), LOOKS_AT_ONCE):
                some = missing[first : first + LOOKS_AT_ONCE]
                looked_up = await asyncio.gather(*(self._client.find_payment(imp_uid) for imp_uid in some))
                found |= {row.imp_uid: row for row in looked_up if row is not None}
        except PortOneError as error:
            raise of_portone(error) from None
        return _readable(found.values())

    @activity.defn
    async def cancel_payment(self, order: CancelPayment) -> CancelAnswer:
        """Refund, guarded by PortOne's checksum."""
        answer = await self._client.cancel_payment(
            portone.CancelPayment(
                imp_uid=order.imp_uid,
                amount=order.amount,
                checksum=Money(order.checksum, order.amount.currency),
                reason=order.reason,
                # Said also when it is nothing: for some PGs PortOne puts in no default (facts.md 2.8).
                tax_free=order.tax_free,
                vat_amount=order.vat_amount,
                requester=order.requester,
            )
        )
        return CancelAnswer(
            outcome=answer.outcome,
            payment=answer.payment.fact() if answer.payment else None,
            code=None if answer.code is None else str(answer.code),
            message=answer.message,
        )

    async def _may_send(self, order: ChargeAgain | RetrySchedule | ChargeOnetime) -> bool:
        if fail_points.ARE_ON:
            fail_points.reach("before mark_sent", *_names(order))
        try:
            may = await self._ledger.mark_sent(order.merchant_uid, order.send_no, datetime.now(UTC))
        except LedgerConflictError as error:
            raise of_ledger(error) from None
        if fail_points.ARE_ON:
            fail_points.reach("after mark_sent", *_names(order))
        return may


def _names(order: ChargeAgain | RetrySchedule | ChargeOnetime) -> tuple[str, ...]:
    customer_uid = None if isinstance(order, RetrySchedule) else order.customer_uid
    return (order.merchant_uid, customer_uid) if customer_uid else (order.merchant_uid,)


def _readable(rows: Iterable[portone.Payment]) -> list[PaymentFact]:
    """A row that cannot be read (a currency not known here) is nobody's order of ours."""
    facts = []
    for row in rows:
        with suppress(ValueError):
            facts.append(row.fact())
    return facts


def _translated(answer: portone.ChargeAnswer) -> ChargeAnswer:
    return ChargeAnswer(
        outcome=answer.outcome,
        worth_resending=answer.http_status not in REFUSED_REQUEST,
        imp_uid=answer.payment.imp_uid if answer.payment else None,
        code=None if answer.code is None else str(answer.code),
        message=answer.message,
    )
