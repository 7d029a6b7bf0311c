"""The choices a command may carry: when it takes effect, what goes back, on which billing day it goes on."""

from enum import StrEnum


class When(StrEnum):
    """When an order takes effect."""

    NOW = "now"
    PERIOD_END = "period_end"


class RefundAtCancel(StrEnum):
    """What of the running period goes back when a subscription is canceled."""

    NONE = "none"
    PRORATED = "prorated"
    FULL = "full"


class ResumeAnchor(StrEnum):
    """Which billing day a resumed subscription goes on with.

    NEW: periods begin at the moment of resuming; what was left of a paid period when it was paused is kept.
    OLD: the billing day stays; what is left until it is charged by the day.
    """

    NEW = "new"
    OLD = "old"
