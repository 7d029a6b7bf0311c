"""The code tables of GET /cards and /banks: KFTC's codes, and those of foreign schemes (facts.md 7.2, 7.3).

Bank codes and names are those that PortOne's own Node client lists.
"""

from collections.abc import Mapping
from types import MappingProxyType

CARDS: Mapping[str, str] = MappingProxyType(
    {
        "361": "BC카드",
        "364": "광주카드",
        "365": "삼성카드",
        "366": "신한카드",
        "367": "현대카드",
        "368": "롯데카드",
        "369": "수협카드",
        "370": "씨티카드",
        "371": "NH카드",
        "372": "전북카드",
        "373": "제주카드",
        "374": "하나카드",
        "381": "KB국민카드",
        "002": "KDB산업은행",
        "041": "우리카드",
        "045": "새마을금고",
        "048": "신협",
        "071": "우체국",
        "089": "케이뱅크",
        "090": "카카오뱅크",
        "092": "토스뱅크",
        "10001": "은련",
        "10002": "다이너스",
        "10003": "아멕스",
        "10004": "마스터",
        "10005": "비자",
        "10006": "JCB",
    }
)

BANKS: Mapping[str, str] = MappingProxyType(
    {
        "002": "산업은행",
        "003": "기업은행",
        "004": "국민은행",
        "005": "외환은행",
        "007": "수협중앙회",
        "008": "수출입은행",
        "011": "농협은행",
        "012": "지역 농.축협",
        "020": "우리은행",
        "023": "SC은행",
        "027": "한국씨티은행",
        "031": "대구은행",
        "032": "부산은행",
        "034": "광주은행",
        "035": "제주은행",
        "037": "전북은행",
        "039": "경남은행",
        "045": "새마을금고중앙회",
        "048": "신협중앙회",
        "050": "상호저축은행",
        "054": "HSBC은행",
        "055": "도이치은행",
        "057": "제이피모간체이스은행",
        "060": "BOA은행",
        "062": "중국공상은행",
        "063": "중국은행",
        "064": "산림조합중앙회",
        "071": "우체국",
        "081": "KEB하나은행",
        "088": "신한은행",
        "089": "케이뱅크",
        "090": "카카오뱅크",
    }
)

# Companies that public samples of PortOne's answers name beside a number with these first digits.
_SEEN = MappingProxyType(
    {
        "404577": "367",
        "524242": "374",
        "542879": "366",
        "559410": "366",
        "910020": "361",
        "954049": "361",
    }
)

# What the first digits say of themselves (ISO/IEC 7812): schemes that no Korean company issues alone.
_SCHEMES = (
    ("30", "10002"),
    ("34", "10003"),
    ("35", "10006"),
    ("36", "10002"),
    ("37", "10003"),
    ("38", "10002"),
    ("39", "10002"),
)

# No source lists who issues which number: the rest is spread by the second digit, so that lists look like life.
_REST = ("361", "381", "367", "365", "368", "371", "041", "374", "366", "370")

# What cards begin with (ISO/IEC 7812): Visa, Mastercard and Maestro, UnionPay and Discover, and 9, where each country's
# companies have numbers of their own. 1 is airlines', 7 and 8 are fuel, health and telephone cards', 0 is nobody's.
_OF_CARDS = ("4", "5", "6", "9")
_MASTERCARD_BY_TWO = range(2221, 2721)


def card_company(digits: str) -> tuple[str, str] | None:
    """Code and name of the company of a card number; None when no company has numbers that begin so."""
    code = _SEEN.get(digits[:6]) or dict(_SCHEMES).get(digits[:2])
    if code is None and not (digits.startswith(_OF_CARDS) or int(digits[:4]) in _MASTERCARD_BY_TWO):
        return None
    code = code or _REST[int(digits[1])]
    return code, CARDS[code]
