"""What a call that moves money can have come to. Unknown is an outcome, never a decline."""

from enum import StrEnum


class ChargeOutcome(StrEnum):
    """The four outcomes of a charge (design section 2). Only proof closes `unknown`."""

    PAID = "paid"
    DECLINED = "declined"
    NOT_EXECUTED = "not_executed"
    UNKNOWN = "unknown"


class KeyOutcome(StrEnum):
    """The four outcomes of issuing a billing key."""

    ISSUED = "issued"
    REFUSED = "refused"
    NOT_EXECUTED = "not_executed"
    UNKNOWN = "unknown"


class ScheduleOutcome(StrEnum):
    """The four outcomes of registering, moving or re-booking a schedule."""

    REGISTERED = "registered"
    REFUSED = "refused"
    NOT_EXECUTED = "not_executed"
    UNKNOWN = "unknown"
