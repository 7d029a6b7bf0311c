"""The payment window: a key is issued by its buyer, and some PGs charge in the same breath (facts.md 4.2)."""

import secrets
from typing import Any

from billing.emulator.account import Account
from billing.emulator.cards import KEY_REFUSED, read_card
from billing.emulator.envelope import REFUSED, Refusal
from billing.emulator.keys import keep_key
from billing.emulator.lists import shown
from billing.emulator.orders import read_order
from billing.emulator.pgs import require_order, row_of
from billing.emulator.store import Record


def issue_in_window(account: Account, body: dict[str, Any]) -> Record:
    """Issue the key, and make the charge of PGs that charge when a key is issued; answers the key.

    Raises:
        Refusal: the card is refused, its charge is declined, or there is no amount where there must be one.
    """
    world, customer_uid = account.world, body["customer_uid"]
    at = world.clock.now(customer_uid)
    card = read_card(body, at, sentence=KEY_REFUSED)
    row = row_of(world, card.provider)
    amount = body["amount"] or 0
    if row is not None and row.charges == "always" and not amount:
        raise Refusal("amount 파라메터가 올바르지 않습니다.")
    key = keep_key(world, customer_uid, body, card)
    if row is None or row.charges == "no" or not amount:
        return shown(key)
    order = read_order({**body, "merchant_uid": body["merchant_uid"] or f"window{secrets.token_hex(8)}"})
    require_order(world, card.provider, order)
    payment = account.execution.attempt(order, key, at, usage="issue", path="window")
    if payment["status"] == "failed":
        raise Refusal(payment["fail_reason"], code=REFUSED)
    in_browser = world.change_payment({**payment, "channel": "pc"})
    return {**shown(key), "payment": shown(in_browser)}
