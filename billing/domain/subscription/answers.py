"""What a command is answered."""

from datetime import datetime
from enum import StrEnum

from billing.domain.bills import Bill
from billing.domain.message import Message
from billing.domain.money import Money
from billing.domain.states import SubscriptionStatus
from billing.domain.takeover import Standing


class ChargeAtOrder(StrEnum):
    """What became of the next charge when the order met it, by PortOne's schedule row and payments (design section 3).

    REVOKED and NONE_PLANNED: it was not made and will not be. PAID, DECLINED, MISMATCH: it ran first. UNKNOWN: it was
    begun, and nobody can prove yet what it came to; should it turn out to be paid, it is given back.
    """

    NONE_PLANNED = "none_planned"
    REVOKED = "revoked"
    PAID = "paid"
    DECLINED = "declined"
    MISMATCH = "mismatch"
    UNKNOWN = "unknown"


class CancelAnswered(Message):
    """What the cancel did, told in the same call: whether the next charge was stopped or had already run.

    `standing` is what somebody else has scheduled on the key; None where PortOne could not be asked.
    `owed` is what was paid, is not used and did not go back with it, credit included; None where it has not ended yet.
    `refund_message` says why not all that was to go back did.
    """

    status: SubscriptionStatus
    charge: ChargeAtOrder
    merchant_uid: str | None = None
    charged_imp_uid: str | None = None
    charged_amount: Money | None = None
    cancel_at_period_end: bool = False
    ends_at: datetime | None = None
    refunded: Money | None = None
    refund_state: str | None = None
    refund_message: str | None = None
    standing: tuple[Standing, ...] | None = None
    owed: Money | None = None


class OrderAnswered(Message):
    """What a command did, and what became of a charge that it met or made.

    `done` is False where the command was understood and came to nothing, with a stable `code`: a declined card, say.
    """

    done: bool = True
    code: str | None = None
    message: str | None = None
    charge: ChargeAtOrder = ChargeAtOrder.NONE_PLANNED
    merchant_uid: str | None = None
    charged: Money | None = None
    refunded: Money | None = None


class Preview(Message):
    """What will be charged: the bill of the next period, and of a change what it charges at once.

    `balance` is what is carried on after these bills, in minor units; negative is credit.
    `due_at` is None where no further charge is planned. `refused` is the code of why that order makes no sense now.
    """

    bill: Bill
    due_at: datetime | None = None
    balance: int = 0
    due_now: Bill | None = None
    new_period: bool = False
    refused: str | None = None
    message: str | None = None


class CancelPreview(Message):
    """What a cancel would come to: when it would end, what would go back at once, and what would be owed beside it.

    `owed` is what is paid, is not used and would not go back, credit included; 0 where the period is used to its end.
    """

    ends_at: datetime
    refund: Money
    owed: Money
