"""Cards: what PortOne checks, what it shows of them, and the test cards by their last four digits."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from billing.emulator.channels import channel_of
from billing.emulator.codes import card_company
from billing.emulator.envelope import REFUSED, Refusal
from billing.emulator.masking import masked, told_of_card
from billing.emulator.refusals import refusal_of
from billing.emulator.store import Record

KEY_REFUSED = "카드정보 인증 및 빌키 발급에 실패하였습니다."
CARD_REFUSED = "카드정보 인증에 실패하였습니다."

# Which of them are needed differs per PG and contract (facts.md 6): only their form is checked.
_OPTIONAL = (("birth", r"\d{6}|\d{10}"), ("pwd_2digit", r"\d{2}"), ("cvc", r"\d{3,4}"))

DECLINES_BEFORE_APPROVAL = 2
LATE_APPROVAL_SECONDS = 600


@dataclass(frozen=True, slots=True)
class KnownCard:
    """All that is kept of a card: the masked number, the last four digits, the company, and the PG that saw it."""

    masked: str
    last_four: str
    code: str
    name: str
    provider: str

    def told(self) -> Record:
        """What a key or a payment shows of it, and the last four digits for the emulator's own use."""
        return {**told_of_card(self.provider, self.masked, self.code, self.name), "last_four": self.last_four}


def read_card(body: dict[str, Any], now: float, *, sentence: str, provider: str | None = None) -> KnownCard:
    """Check a card as PortOne and its PG do, and keep only what may be kept; the PG is the request's unless given.

    The number comes first: what no company has is refused as such, whatever else is wrong with it.

    Raises:
        Refusal: code -1, `sentence` and the PG's words.
    """
    provider = provider or channel_of(body)[0]
    digits = re.sub(r"[^0-9]", "", str(body.get("card_number") or ""))
    company = card_company(digits) if 14 <= len(digits) <= 16 else None  # noqa: PLR2004 - Diners has 14 digits, AMEX 15
    if company is None:
        raise _refused(sentence, provider, "number")
    expiry = re.fullmatch(r"(\d{4})-(\d{2})", str(body.get("expiry") or ""), re.ASCII)
    today = datetime.fromtimestamp(now, UTC)
    if not expiry or not 1 <= int(expiry[2]) <= 12 or (int(expiry[1]), int(expiry[2])) < (today.year, today.month):  # noqa: PLR2004
        raise _refused(sentence, provider, "expiry")
    for name, pattern in _OPTIONAL:
        value = body.get(name)
        if value not in (None, "") and not re.fullmatch(pattern, str(value), re.ASCII):
            raise _refused(sentence, provider, name)
    last_four = digits[-4:]
    if last_four == "0001":
        raise _refused(sentence, provider, "unusable")
    code, name = company
    return KnownCard(masked=masked(provider, digits), last_four=last_four, code=code, name=name, provider=provider)


def _refused(sentence: str, provider: str, why: str) -> Refusal:
    return Refusal(f"{sentence} {refusal_of(provider, why)}", code=REFUSED)
