"""The parts of refunds add up to the charge's, in whatever pieces it goes back and whoever gave some of it back."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.facts import PaymentFact
from billing.domain.known_order import KnownOrder, KnownRefund
from billing.domain.money import Money
from billing.domain.records import ChargeKind, RefundState
from billing.domain.refund_split import RefundablePayment, split_elsewhere
from billing.domain.states import CycleState


def order(amount, tax_free=0, vat_amount=None):
    return KnownOrder(
        merchant_uid="order",
        kind=ChargeKind.CYCLE,
        amount=Money(amount),
        state=CycleState.PAID,
        tax_free=tax_free,
        vat_amount=vat_amount,
    )


def payment(amount, back=0):
    return PaymentFact("imp_1", "order", "cancelled" if back else "paid", Money(amount), back)


@st.composite
def charges(draw):
    amount = draw(st.integers(1, 200_000))
    tax_free = draw(st.integers(0, amount))
    vat_amount = draw(st.none() | st.integers(0, amount - tax_free))
    return amount, tax_free, vat_amount


@st.composite
def pieces(draw, amount):
    cuts = sorted(draw(st.sets(st.integers(1, max(1, amount - 1)), max_size=5)))
    bounds = [0, *(cut for cut in cuts if cut < amount), amount]
    return [later - earlier for earlier, later in pairwise(bounds)]


@settings(max_examples=200)
@given(st.data())
def test_all_refunds_together_are_the_charge(data):
    amount, tax_free, vat_amount = data.draw(charges())
    done = []
    for number, piece in enumerate(data.draw(pieces(amount))):
        back = sum(each.amount for each in done)
        whole = RefundablePayment.of(order(amount, tax_free, vat_amount), payment(amount, back), done)
        if data.draw(st.booleans()):
            part = whole.split(piece)
        else:
            (part,) = split_elsewhere(order(amount, tax_free, vat_amount), payment(amount, back + piece), done, [piece])
        assert 0 <= part[0] <= piece
        done.append(KnownRefund(f"r{number}", piece, RefundState.REFUNDED, part[0], part[1]))
    assert sum(each.tax_free for each in done) == tax_free
    if vat_amount is not None:
        assert sum(each.vat_amount for each in done) == vat_amount


def test_a_refund_that_is_not_proven_counts_for_nothing():
    doubtful = KnownRefund("r1", 5000, RefundState.UNKNOWN, 3000, 0)
    whole = RefundablePayment.of(order(9900, 3000, 627), payment(9900), [doubtful])
    assert whole.split(9900) == (3000, 627)


def test_a_payment_of_another_amount_keeps_the_shares_of_its_order():
    assert RefundablePayment.of(order(10_000, 4000, 600), payment(1000), []).split(1000) == (400, None)


@pytest.mark.parametrize(
    ("amount", "tax_free", "vat_amount"),
    [(5000, 3001, None), (5000, -1, None), (5000, 3000, 628), (9900, 0, None), (9900, 3000, 600), (5000, 3000, 2001)],
)
def test_parts_that_do_not_fit_are_refused(amount, tax_free, vat_amount):
    with pytest.raises(ValueError, match=r"tax_free|vat_amount"):
        RefundablePayment.of(order(9900, 3000, 627), payment(9900), []).split(amount, tax_free, vat_amount)


@pytest.mark.parametrize("amount", [0, -1, 9901])
def test_nothing_and_more_than_is_left_are_refused(amount):
    with pytest.raises(ValueError, match="a refund is 1 to"):
        RefundablePayment.of(order(9900), payment(9900), []).split(amount)


def test_a_vat_that_the_pg_reckons_may_be_said_all_the_same():
    whole = RefundablePayment.of(order(11_000), payment(11_000), [])
    assert whole.split(1100, vat_amount=100) == (0, 100)
    with pytest.raises(ValueError, match="vat_amount"):
        whole.split(1100, vat_amount=1101)
