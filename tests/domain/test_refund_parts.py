from itertools import product

import pytest

from billing.domain.proration import refund_parts


@pytest.mark.parametrize(
    ("charge", "before", "refund"),
    [
        ((9900, 0, None), (0, 0, None), 0),
        ((9900, 0, None), (0, 0, None), -1),
        ((9900, 0, None), (0, 0, None), 9901),
        ((9900, 0, None), (9000, 0, None), 901),
        ((9900, 0, None), (9900, 0, None), 1),
        ((9900, 0, None), (9900, 0, None), 0),
        ((9900, 9901, None), (0, 0, None), 10),
        ((9900, 5000, 4901), (0, 0, 0), 10),
        ((9900, 100, None), (200, 101, None), 10),
        ((9900, 0, 900), (200, 0, 901), 10),
        ((9900, 0, None), (-1, 0, None), 10),
        ((9900, 9900, None), (100, 0, None), 10),
        ((0, 0, None), (0, 0, None), 0),
    ],
)
def test_a_refund_of_nothing_or_of_more_than_is_left_is_refused(charge, before, refund):
    with pytest.raises(ValueError, match=r"a refund is|do not fit"):
        refund_parts(*charge, before, refund)


def test_a_refund_takes_its_share_of_every_part():
    assert refund_parts(11_000, 0, 1_000, (0, 0, 0), 5_500) == (0, 500)
    assert refund_parts(11_000, 1_100, 900, (0, 0, 0), 1_000) == (100, 81)
    assert refund_parts(11_000, 11_000, None, (0, 0, None), 777) == (777, None)
    assert refund_parts(11_000, 1_100, 900, (1_000, 100, 81), 10_000) == (1_000, 819)
    assert refund_parts(11_000, 1_100, 900, (0, 0, 0), 11_000) == (1_100, 900)


def test_refunds_with_parts_chosen_by_hand_are_still_completed_exactly():
    assert refund_parts(1_000, 500, None, (400, 0, None), 100) == (100, None)
    assert refund_parts(1_000, 500, None, (500, 500, None), 500) == (0, None)
    assert refund_parts(1_000, 500, 50, (500, 450, 50), 500) == (50, 0)


def test_every_small_charge_and_every_first_refund_leave_a_rest_that_can_be_refunded():
    for amount in range(1, 11):
        for tax_free, vat in product(range(amount + 1), repeat=2):
            if tax_free + vat > amount:
                continue
            for first in range(1, amount):
                tax, vat_part = refund_parts(amount, tax_free, vat, (0, 0, 0), first)
                rest = refund_parts(amount, tax_free, vat, (first, tax, vat_part), amount - first)
                assert rest == (tax_free - tax, vat - vat_part)
                assert tax + vat_part <= first
