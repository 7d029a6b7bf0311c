"""What each PG says when it refuses: `<PortOne's sentence> [<code>]<PG's text>` (facts.md 1.6).

Words and codes are those that PGs document or that public logs show; a PG without a known table says what is
wrong without a code of another's.
NICE's new module wraps its code in a sentence of its own, as clients have seen; what it says of a charge is inferred
from that.
"""

from collections.abc import Mapping
from types import MappingProxyType

Words = Mapping[str, str]

DECLINES: Words = MappingProxyType(
    {
        "0002": "잔액이 부족하거나 한도를 초과하였습니다.",
        "0003": "분실 또는 도난 신고된 카드입니다.",
        "0004": "일시적으로 승인이 거절되었습니다.",
        "0006": "카드사 응답이 지연되고 있습니다.",
    }
)
"""What is said of a charge by the last four digits of the card, at a PG of which no source has a code."""

_CHECKS: Words = MappingProxyType(
    {
        "number": "유효하지않은 카드번호를 입력하셨습니다.",
        "expiry": "유효기간 오류",
        "birth": "생년월일 또는 사업자번호 오류",
        "pwd_2digit": "비밀번호 오류",
        "cvc": "CVC 오류",
        "unusable": "해당카드는 사용이 불가능 합니다 타사카드를 이용해주세요",
    }
)
"""What is wrong with a card, at a PG of which no source has a code: a code of NICE's would be a lie there."""

_NICE_V2 = "[400]Error From NICEPAY. (message: {}, code:{})"

_BY_PROVIDER: Mapping[str, Words] = MappingProxyType(
    {
        "nice": {
            "number": "[F112]유효하지않은 카드번호를 입력하셨습니다. (card_bin 없음)",
            "expiry": "[F113]유효기간 오류",
            "birth": "[F113]생년월일 또는 사업자번호 오류",
            "pwd_2digit": "[F113]비밀번호 오류",
            "cvc": "[F113]CVC 오류",
            "unusable": "[F118]해당카드는 사용이 불가능 합니다 타사카드를 이용해주세요",
            "0002": "[3095]카드사 실패 응답: 한도초과 또는 잔액부족",
            "0003": "[3095]카드사 실패 응답: 분실 또는 도난카드",
            "0004": "[3095]카드사 실패 응답: 일시적으로 승인이 거절되었습니다.",
            "0006": "[3095]카드사 실패 응답: 응답지연",
        },
        "nice_v2": {
            "number": _NICE_V2.format("카드번호 오류", "F113"),
            "expiry": _NICE_V2.format("유효기간오류", "F113"),
            "birth": _NICE_V2.format("주민OR사업자등록번호오류", "F113"),
            "pwd_2digit": _NICE_V2.format("비밀번호틀림", "F113"),
            "unusable": _NICE_V2.format("해당카드 사용불가 가맹점(타카드 사용요망)", "F113"),
            "0002": _NICE_V2.format("한도초과 또는 잔액부족", "3095"),
            "0003": _NICE_V2.format("분실 또는 도난카드", "3095"),
            "0004": _NICE_V2.format("일시적으로 승인이 거절되었습니다.", "3095"),
            "0006": _NICE_V2.format("응답지연", "3095"),
        },
        "tosspayments": {
            "number": "[INVALID_CARD_NUMBER]카드번호를 다시 확인해주세요.",
            "expiry": "[INVALID_CARD_EXPIRATION]카드 정보를 다시 확인해주세요. (유효기간)",
            "unusable": "[INVALID_REJECT_CARD]카드 사용이 거절되었습니다. 카드사 문의가 필요합니다.",
            "0002": "[REJECT_CARD_PAYMENT]한도초과 혹은 잔액부족으로 결제에 실패했습니다.",
            "0003": "[INVALID_CARD_LOST_OR_STOLEN]분실 혹은 도난 카드입니다.",
            "0004": "[PROVIDER_ERROR]일시적인 오류가 발생했습니다. 잠시 후 다시 시도해주세요.",
            "0006": "[PROVIDER_ERROR]일시적인 오류가 발생했습니다. 잠시 후 다시 시도해주세요.",
        },
        "kicc": {
            "expiry": "[8314]유효기간 오류",
            "pwd_2digit": "[8311]비밀번호 오류",
            "0002": "[8035]잔액부족",
            "0003": "[8350]분실 또는 도난카드",
            "0004": "[8373]일시적으로 승인이 거절되었습니다. 카드사에 문의하십시오.",
        },
        "paymentwall": {"0006": "(PG사 결제 장애) Internal error"},
    }
)


def refusal_of(provider: str | None, why: str) -> str:
    """A PG's words for what is wrong with a card (`number`, `expiry` …), or for a charge of a card by its last four."""
    words = _BY_PROVIDER.get(provider or "", {})
    return words.get(why) or _CHECKS.get(why) or DECLINES[why]
