import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.declines import DECLINES, FAMILIES, DeclineClass, classify
from billing.domain.pg_capabilities import PG_CAPABILITIES
from billing.emulator.refusals import refusal_of

HARD, SOFT = DeclineClass.HARD, DeclineClass.SOFT
providers = st.none() | st.sampled_from(sorted(PG_CAPABILITIES))


@pytest.mark.parametrize(
    "message", [None, "", "   ", "결제에 실패하였습니다. [8901] 알 수 없음", "\x00", "[F999]", "[]"]
)
@pytest.mark.parametrize("provider", [None, "nice", "tosspayments", "nobody"])
def test_what_is_not_known_is_soft(provider, message):
    assert classify(provider, message) is SOFT


@pytest.mark.parametrize(("card", "decline"), [("0002", SOFT), ("0003", HARD), ("0004", SOFT), ("0006", SOFT)])
def test_the_emulators_lost_card_is_hard_and_its_other_declines_are_soft(card, decline):
    for provider in (None, *PG_CAPABILITIES):
        assert classify(provider, refusal_of(provider, card)) is decline, provider
        assert classify(provider, f"결제에 실패하였습니다. {refusal_of(provider, card)}") is decline, provider


@pytest.mark.parametrize(
    ("provider", "message", "decline"),
    [
        ("html5_inicis", "분실 또는 도난 신고된 카드입니다.", HARD),
        ("kcp_billing", "도난분실카드", HARD),
        ("tosspayments", "분실 혹은 도난 카드입니다.", HARD),
        ("tosspayments", "정지된 카드 입니다.", HARD),
        ("tosspayments", "[INVALID_STOPPED_CARD]", HARD),
        ("tosspayments", "한도초과 혹은 잔액부족으로 결제에 실패했습니다.", SOFT),
        ("tosspayments", "하루 결제 가능 횟수를 초과했습니다.", SOFT),
        (
            "nice",
            "[F112]유효하지않은 카드번호를 입력하셨습니다. (card_bin 없음)",
            HARD,
        ),
        ("nice", "결제승인에 실패하였습니다. [2116]개인 월 한도금액 초과", SOFT),
        ("nice", "결제승인에 실패하였습니다. [3021]", HARD),
        ("nice_v2", "[3011]", HARD),
        ("nice", "[3095]카드사 실패 응답", SOFT),
        ("nice", "[3095]거래정지카드", HARD),
        ("nice", "[2151]거래정지 가맹점", SOFT),
        ("nice", "빌키 발급 불가 가맹점입니다.(해지)", SOFT),
        ("nice", "카드정보 인증에 실패하였습니다. [F113]본인의 신용카드 확인중 오류가 발생하였습니다", SOFT),
        ("daou", "카드 유효기간 경과", HARD),
        (None, "유효기간오류", HARD),
        (None, "체크카드 잔액부족", SOFT),
        (None, "카드사 점검 중", SOFT),
        ("paymentwall", "(PG사 결제 장애) Internal error", SOFT),
        ("nice", "등록되지 않은 구매자입니다.", HARD),
    ],
)
def test_what_pgs_are_known_to_say_is_known(provider, message, decline):
    assert classify(provider, message) is decline


@pytest.mark.parametrize("code", ["F112", "F118", "3011", "3021", "A126", "INVALID_STOPPED_CARD"])
def test_a_code_decides_only_within_the_family_that_speaks_it(code):
    family = {"INVALID_STOPPED_CARD": "tosspayments"}.get(code, "nice")
    assert classify(family, f"[{code}]") is HARD
    for provider in {None, *PG_CAPABILITIES} - FAMILIES["nice"] - FAMILIES["toss"]:
        assert classify(provider, f"[{code}]") is SOFT
    assert classify(family, f"order {code}") is SOFT


@given(providers, st.sampled_from([row for row in DECLINES if row.words and row.decline is HARD]), st.data())
def test_a_message_that_names_a_limit_beside_anything_else_is_soft(provider, row, data):
    limit = data.draw(st.sampled_from(["한도초과", "한도 초과", "잔액 부족", "잔액부족"]))
    assert classify(provider, f"{row.words} 또는 {limit}") is SOFT
    assert classify(provider, f"{limit} 또는 {row.words}") is SOFT


@given(providers, st.sampled_from([row for row in DECLINES if row.words]), st.text(max_size=5))
def test_spaces_and_whatever_stands_around_the_words_change_nothing(provider, row, around):
    told = "  ".join(row.words.replace(" ", ""))
    assert (
        classify(provider, f"{told} {around}") is classify(provider, row.words)
        or classify(provider, around) is not SOFT
    )


def test_every_row_decides_what_it_says_for_somebody():
    for row in DECLINES:
        provider = next(iter(FAMILIES[row.family])) if row.family else None
        message = f"[{row.code}]" if row.code else row.words
        assert classify(provider, message) is row.decline, row


def test_every_row_names_its_source_and_something_to_look_for():
    for row in DECLINES:
        assert row.source
        assert row.words or (row.code and row.family)
        assert row.family is None or row.family in FAMILIES


@given(providers, st.none() | st.text())
def test_any_text_has_a_class(provider, message):
    assert classify(provider, message) in DeclineClass
