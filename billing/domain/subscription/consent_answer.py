"""The answer of a buyer to a question for their consent."""

from billing.domain.consent import ConsentDecision
from billing.domain.message import Message


class ConsentAnswer(Message):
    """The buyer's explicit answer, with what was shown to them (E-Commerce Act art. 13(6))."""

    decision: ConsentDecision
    shown: str
    by: str
    locale: str = "ko-KR"
    ip: str | None = None
    user_agent: str | None = None
