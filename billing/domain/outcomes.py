"""How a call that may move money ended, as far as anybody can know (design section 2)."""

from enum import StrEnum


class ChargeOutcome(StrEnum):
    """One of four ways a charge ended; only PAID and DECLINED are facts about money.

    NOT_EXECUTED is proof that PortOne did nothing, so the same number may be sent again at once.
    UNKNOWN may have happened: it blocks every further charge of the cycle until a look-up proves one or the other.
    """

    PAID = "paid"
    DECLINED = "declined"
    NOT_EXECUTED = "not_executed"
    UNKNOWN = "unknown"


CARD_GONE = "card_gone"
"""The stable code of a card that was no longer in the one-time vault: used, expired, lost, or sealed by another key."""


class KeyOutcome(StrEnum):
    """How issuing a billing key ended; UNKNOWN is settled by looking the key up, never by issuing again.

    CARD_GONE is no answer of PortOne's: it was not asked, since the card was no longer in the one-time vault.
    """

    ISSUED = "issued"
    REFUSED = "refused"
    NOT_EXECUTED = "not_executed"
    UNKNOWN = "unknown"
    CARD_GONE = "card_gone"


class ScheduleOutcome(StrEnum):
    """How registering a schedule ended; UNKNOWN is settled by `GET /subscribe/payments/schedule/{merchant_uid}`."""

    REGISTERED = "registered"
    REFUSED = "refused"
    NOT_EXECUTED = "not_executed"
    UNKNOWN = "unknown"
