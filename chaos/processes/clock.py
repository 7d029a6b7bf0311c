"""A process whose wall clock is off, without anything of it in the product.

Every place of the product that reads a clock says `datetime.now(UTC)`; what it says `datetime` to is another class in
this process. PortOne's clock, the database's and Temporal's stay as they are.
"""

import inspect
import sys
from datetime import datetime, timedelta, tzinfo

_OURS = ("api.", "activities.", "billing.")
_READS_A_CLOCK = "datetime.now("
_NOT_OURS_ALONE = "billing.emulator"


def run_off_by(distance: timedelta) -> list[str]:
    """From now on every clock that is read here is so far ahead, or behind; answers the modules that read one."""

    class OffDatetime(datetime):
        """The time as it is here."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            """This moment, and the distance."""
            return datetime.now(tz) + distance

    found = [
        module
        for name, module in sorted(sys.modules.items())
        if name.startswith(_OURS)
        and not name.startswith(_NOT_OURS_ALONE)
        and getattr(module, "datetime", None) is datetime
        and _READS_A_CLOCK in inspect.getsource(module)
    ]
    for module in found:
        vars(module)["datetime"] = OffDatetime
    return [module.__name__ for module in found]
