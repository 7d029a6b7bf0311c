"""How often a card was tried, over all subscriptions: what the card schemes limit (anchors/billing.md section 2c)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, or_, select

from billing.domain.states import CycleState
from billing.ledger.reads import Reads, is_charged_on
from billing.ledger.tables import billing_keys, charge_results, charges, subscriptions

_EARLIER = charge_results.alias()


async def attempts_on_card(reads: Reads, customer_uid: str) -> Sequence[datetime]:
    """When the card behind a key was tried in vain or will be tried again, oldest first, whichever key it is tried by.

    Counted are declines, the approval that followed one under the same order number, and the retries that other
    subscriptions have planned. A charge that is approved at once is no retry: a daily plan makes 30 of them in 30 days.
    PortOne shows no more of a card than its issuer and last four digits, so two keys count as one card where these
    and the customer's id are the same; a key without a customer's id counts alone.
    """
    keys = await _keys_of_the_card(reads, customer_uid)
    made = [row.at for row in await reads.rows(_made(charges.c.customer_uid.in_(keys)))]
    by_others = [key for key in keys if key != customer_uid]
    planned = [row.next_charge_at for row in await reads.rows(_planned(is_charged_on(*by_others)))]
    return sorted([*made, *planned])


async def _keys_of_the_card(reads: Reads, customer_uid: str) -> list[str]:
    key = await reads.first(select(billing_keys).where(billing_keys.c.customer_uid == customer_uid))
    if key is None or key.customer_id is None or key.card_number is None:
        return [customer_uid]
    same = select(billing_keys.c.customer_uid).where(
        billing_keys.c.customer_id == key.customer_id,
        billing_keys.c.card_number == key.card_number,
        billing_keys.c.card_name.is_not_distinct_from(key.card_name),
    )
    return [row.customer_uid for row in await reads.rows(same)]


def _made(by_the_card: ColumnElement[bool]) -> Select[tuple[datetime]]:
    declined = select(_EARLIER.c.merchant_uid).where(
        _EARLIER.c.merchant_uid == charge_results.c.merchant_uid, _EARLIER.c.state == CycleState.DECLINED
    )
    retried = and_(charge_results.c.state == CycleState.PAID, declined.exists())
    return (
        select(charge_results.c.at)
        .join(charges, charges.c.merchant_uid == charge_results.c.merchant_uid)
        .where(by_the_card, or_(charge_results.c.state == CycleState.DECLINED, retried))
    )


def _planned(by_others: ColumnElement[bool]) -> Select[tuple[datetime]]:
    return select(subscriptions.c.next_charge_at).where(
        by_others,
        subscriptions.c.ended_at.is_(None),
        subscriptions.c.failed_attempts > 0,
        subscriptions.c.next_charge_at.is_not(None),
    )
