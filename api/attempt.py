"""How far one request has come, so that its answer says only what is true."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fastapi.responses import JSONResponse


class Reach(StrEnum):
    """How far a request has come; VOID is what was started and is proven to have done nothing.

    LEFT_OPEN is what an earlier try may have started, while this one has neither started nor found anything.
    """

    NOT_STARTED = "not_started"
    LEFT_OPEN = "left_open"
    UNKNOWN = "unknown"
    STARTED = "started"
    SETTLED = "settled"
    VOID = "void"


_TOLD: Mapping[Reach, str] = {
    Reach.UNKNOWN: "it may have been started, and Temporal did not say so",
    Reach.STARTED: "it was started, and its outcome is still open",
    Reach.SETTLED: "it is done, and what it came to cannot be read at this moment",
}


@dataclass(slots=True)
class Attempt:
    """One try to do what a request asks for.

    `resource` is what the request makes, the same for every try of it. `names` are what a caller asks for afterwards:
    `merchant_uid`, `customer_uid`, `refund_id`, `run_url`. `pending` is how a 202 calls an outcome that is still open.
    `may_be_written` holds from the moment at which a write to the ledger is all that is left to do.
    """

    resource: str
    names: Mapping[str, Any]
    pending: Mapping[str, Any]
    reach: Reach = field(default=Reach.NOT_STARTED)
    may_be_written: bool = field(default=False, init=False)

    @property
    def has_left(self) -> bool:
        """Whether this try may have done something, or has found what an earlier one did."""
        return self.is_open or self.reach is Reach.SETTLED

    @property
    def is_open(self) -> bool:
        """Whether something may still be done that is not done yet."""
        return self.reach in (Reach.UNKNOWN, Reach.STARTED)

    def leaves(self) -> None:
        """The next call starts it; until that is answered nobody knows whether it has been started."""
        if self.reach is not Reach.STARTED:
            self.reach = Reach.UNKNOWN

    def writes(self) -> None:
        """What is asked for is the next write to the ledger; until that is answered nobody knows whether it is done."""
        self.may_be_written = True

    def has_begun(self) -> None:
        """It is known to be started, now or by an earlier try."""
        self.reach = Reach.STARTED

    def is_settled(self) -> None:
        """Its outcome is final: it is the answer to every later request with this Idempotency-Key."""
        self.reach = Reach.SETTLED

    def is_refused(self) -> None:
        """The call that would have started it was refused: nothing was."""
        self.reach = Reach.NOT_STARTED

    def is_void(self) -> None:
        """It is proven to have done nothing: the same request may do it anew."""
        self.reach = Reach.VOID

    def open_answer(self) -> JSONResponse:
        """202: what may be asked for, and that nothing is done twice by asking again."""
        again = "read it by the names given here, or send the same request again, which does nothing twice"
        told = _TOLD.get(self.reach, _TOLD[Reach.STARTED])
        return JSONResponse({**self.names, **self.pending, "detail": f"{told}; {again}"}, 202)
