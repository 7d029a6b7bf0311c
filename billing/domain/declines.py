"""What a declined charge says about its card: will another attempt on it help, or only another card?

PortOne passes a PG's own words through as `<sentence> [<code>]<words>`, has no table of them (facts.md 1.6), and most
PGs publish none. So the table here holds only what is documented or was seen, and whatever it does not know is soft: a
needless retry costs one attempt, a card wrongly given up costs a subscriber.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class DeclineClass(StrEnum):
    """Whether the same card may be tried again: HARD never, SOFT later; unknown is SOFT."""

    HARD = "hard"
    SOFT = "soft"


FAMILIES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "nice": frozenset({"nice", "nice_v2"}),
        "toss": frozenset({"tosspayments", "uplus"}),
    }
)
"""PGs that speak with the same codes, by PortOne's `pg_provider`; a code means nothing outside of its family."""


@dataclass(frozen=True, slots=True)
class DeclineRow:
    """One thing that a PG says.

    Args:
        decline: what it means for the card.
        source: where it is documented or was seen.
        words: in the message, compared without spaces; None when the code alone decides.
        family: a key of FAMILIES; None for words that any PG may pass on from the card company.
        code: in brackets before the words; None when the words decide.
    """

    decline: DeclineClass
    source: str
    words: str | None = None
    family: str | None = None
    code: str | None = None


_NICE = "NICE's code list (github.com/nicepayments/nicepay-manual, common/code.md)"
_TOSS = "Toss Payments' error codes, as public clients of it list them"
_FACTS = "facts.md 1.6"
_CARD_COMPANY = "plain words of card companies, which no PG documents"


def _hard(source: str, *words: str) -> tuple[DeclineRow, ...]:
    return tuple(DeclineRow(DeclineClass.HARD, source, each) for each in words)


def _soft(source: str, *words: str) -> tuple[DeclineRow, ...]:
    return tuple(DeclineRow(DeclineClass.SOFT, source, each) for each in words)


def _hard_codes(source: str, family: str, *codes: str) -> tuple[DeclineRow, ...]:
    return tuple(DeclineRow(DeclineClass.HARD, source, family=family, code=code) for code in codes)


DECLINES: tuple[DeclineRow, ...] = (
    # A message that names a limit, the balance or a delay beside anything else is soft: soft rows are asked first.
    *_soft("the emulator's card 0002; " + _CARD_COMPANY, "잔액이 부족", "한도를 초과"),
    *_soft(_CARD_COMPANY, "잔액부족", "한도초과", "점검", "응답지연"),
    *_soft("PortOne's answer to a NICE charge (github.com/pythonkr/pyconapac-2016, issue 21)", "한도금액 초과"),
    *_soft("the emulator's card 0004", "일시적으로"),
    *_soft("the emulator's card 0006", "지연되고 있습니다"),
    *_soft(_TOSS, "결제 가능 횟수를 초과", "결제 가능 금액을 초과", "일시적인 오류"),
    # 2151: a suspended merchant, which sounds like a suspended card.
    *_soft(f"{_NICE}: 2151, 2152, F115, F116", "거래정지 가맹점", "미등록가맹점", "불가 가맹점"),
    *_soft("facts.md 1.6 (Paymentwall), approved later", "Internal error"),
    # Lost or stolen, stopped, expired, unknown: no attempt on this card will ever do.
    *_hard("the emulator's card 0003; " + _TOSS, "분실", "도난"),
    *_hard(_TOSS, "정지된 카드"),
    *_hard(_CARD_COMPANY, "거래정지카드", "사용정지카드", "해지카드", "해지된 카드", "탈회", "무효카드"),
    *_hard("facts.md 1.6; NICE's 3021", "유효기간 오류"),
    *_hard(_CARD_COMPANY, "유효기간 경과", "유효기간 만료", "유효기간이 만료", "유효기간이 지난"),
    *_hard(_TOSS, "카드번호를 다시 확인", "카드 정보를 다시 확인해주세요. (유효기간)"),
    *_hard("facts.md 1.6; NICE's F112 and 3011", "유효하지않은 카드번호", "카드번호 오류"),
    *_hard("NICE's F118; the emulator's card 0001", "해당카드는 사용이 불가능", "사용할 수 없는 카드"),
    *_hard_codes(_NICE, "nice", "F112", "F118", "3011", "3021"),
    *_hard_codes(_TOSS, "toss", "INVALID_CARD_LOST_OR_STOLEN", "INVALID_STOPPED_CARD"),
    *_hard_codes(_TOSS, "toss", "INVALID_CARD_EXPIRATION", "INVALID_CARD_NUMBER"),
    # The billing key itself is gone, so is the card behind it.
    *_hard(_FACTS, "등록되지 않은 구매자", "등록된 고객정보가 없습니다"),
    *_hard_codes(f"{_NICE}: the billing key does not exist", "nice", "A126", "A223"),
)
"""The first row that fits decides; no row is soft."""

_CODES = re.compile(r"\[([0-9A-Z_]{2,40})\]", re.ASCII)


def classify(pg_provider: str | None, message: str | None) -> DeclineClass:
    """What PortOne's `fail_reason` or `message` says about the card; SOFT for whatever is not known.

    Args:
        pg_provider: PortOne's, of the payment or the key; None when unknown (codes then decide nothing).
        message: in PortOne's and the PG's words; None when there is none.
    """
    text = "".join((message or "").split())
    codes = frozenset(_CODES.findall(message or ""))
    for row in DECLINES:
        if row.family is not None and pg_provider not in FAMILIES[row.family]:
            continue
        if row.code is not None and row.code not in codes:
            continue
        if row.words is not None and "".join(row.words.split()) not in text:
            continue
        return row.decline
    return DeclineClass.SOFT
