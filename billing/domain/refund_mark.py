"""The mark by which a refund of ours is known again in PortOne's `cancel_history`, whoever else refunds beside it.

An answer may be lost and the balance may move for somebody else's refund: only what stands in the history with our mark
was done by us. PortOne keeps the reason of a refund as it was given (facts.md 2.8).
"""

import re

MAX_REASON_LENGTH = 256
"""As long as PortOne's older schema allows a reason to be."""

_MARK = re.compile(r"\[([A-Za-z0-9_-]{1,80})\]\Z", re.ASCII)
_NO_REASON = "refund"


def marked(reason: str | None, refund_id: str) -> str:
    """The reason with the mark of a refund behind it; what is too long is cut before the mark, never in it.

    Raises:
        ValueError: a refund_id that could not be read back.
    """
    mark = f" [{refund_id}]"
    if mark_of(mark) != refund_id:
        raise ValueError(f"not a refund_id that can be a mark: {refund_id!r}")
    words = " ".join((reason or _NO_REASON).split()) or _NO_REASON
    return f"{words[: MAX_REASON_LENGTH - len(mark)]}{mark}"


def mark_of(reason: str | None) -> str | None:
    """The refund_id that a reason is marked with; None when it is not one of ours."""
    match = _MARK.search((reason or "").rstrip())
    return match[1] if match else None
