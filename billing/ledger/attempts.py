"""How often a card was tried, over all subscriptions: what the card schemes limit (anchors/billing.md section 2c)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select

from billing.domain.states import CycleState
from billing.ledger.reads import Reads
from billing.ledger.tables import billing_keys, charge_results, charges

TRIED = (CycleState.PAID, CycleState.DECLINED)
"""What an attempt that reached the card came to."""


async def attempts_on_card(reads: Reads, customer_uid: str) -> Sequence[datetime]:
    """When the card behind a key was tried, oldest first, whichever key of the same customer it was tried with.

    PortOne shows no more of a card than its issuer and last four digits, so two keys count as one card where these
    and the customer's id are the same; a key without a customer's id counts alone.
    """
    key = await reads.first(select(billing_keys).where(billing_keys.c.customer_uid == customer_uid))
    one_card: ColumnElement[bool] = charges.c.customer_uid == customer_uid
    if key is not None and key.customer_id is not None and key.card_number is not None:
        same = select(billing_keys.c.customer_uid).where(
            billing_keys.c.customer_id == key.customer_id,
            billing_keys.c.card_number == key.card_number,
            billing_keys.c.card_name == key.card_name,
        )
        one_card |= charges.c.customer_uid.in_(same)
    query = (
        select(charge_results.c.at)
        .join(charges, charges.c.merchant_uid == charge_results.c.merchant_uid)
        .where(one_card, charge_results.c.state.in_(TRIED))
        .order_by(charge_results.c.at)
    )
    return [row.at for row in await reads.rows(query)]
