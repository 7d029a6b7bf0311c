"""What a person did from outside is found by the audit; here it was drawn, and is told no more."""

from collections.abc import Collection

from billing.domain.audit import Violation
from billing.domain.merchant_uid import parse_cycle_merchant_uid
from chaos.machine.left_before import is_left_before

_OF_A_RUN_BY_HAND = "cards_not_hammered"
"""Attempts that a person made in the console come on top of those of the policy, under whichever number of a period."""

_OF_ANOTHER_LOOP = frozenset({"no_charge_on_an_ended_key", "paid_by_one_order"})
"""What tells of an order of the loop before that PortOne had not let through, and approves later."""

_OF_A_TERMINATED_RUN = frozenset({"no_run_astray", "nothing_due_unlisted", "one_fate", "right_key"})
"""That a run was ended from outside is told by these; a key that it issued last is in nobody's books."""


def is_excused(name: str, found: Violation, touched: Collection[str], terminated: Collection[str]) -> bool:
    """Whether a violation is what a person did.

    Args:
        name: of the promise.
        found: how it is broken.
        touched: order numbers that somebody ran, revoked or paid in the console, or that PortOne approved late.
        terminated: subscriptions whose run an operator ended.
    """
    numbers = [parse_cycle_merchant_uid(each) for each in found.merchant_uids]
    by_hand = {each[:2] for each in map(parse_cycle_merchant_uid, touched) if each is not None}
    if name == _OF_A_RUN_BY_HAND and all(each is not None and each[:2] in by_hand for each in numbers):
        return True
    if name in _OF_ANOTHER_LOOP and any(is_left_before(each) and each in touched for each in found.merchant_uids):
        return True
    lives = {found.subscription_id, *(each[0] for each in numbers if each is not None)}
    return name in _OF_A_TERMINATED_RUN and bool(lives & set(terminated))
