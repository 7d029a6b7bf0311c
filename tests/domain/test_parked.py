"""Every kind of parked thing says why it stands, and what each decision about it does."""

from billing.domain.parked import DECISIONS, SENTENCES, Decision, ParkedKind


def test_every_kind_has_a_sentence_and_at_least_two_decisions_with_one_each():
    assert set(SENTENCES) == set(DECISIONS) == set(ParkedKind)
    for kind in ParkedKind:
        assert SENTENCES[kind].endswith(".")
        assert len(DECISIONS[kind]) >= 2
        assert all(text.endswith(".") for text in DECISIONS[kind].values())


def test_whatever_holds_money_may_be_given_back_or_ended():
    for kind in (ParkedKind.CHARGE_MISMATCH, ParkedKind.EARLIER_NUMBER_PAID, ParkedKind.CHANGE_MISMATCH):
        assert {Decision.PAID, Decision.REFUND, Decision.END} == set(DECISIONS[kind])
