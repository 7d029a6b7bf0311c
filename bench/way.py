"""The way of a payment through the code: `python -m bench.way`.

Every call into the product's own files is noted (`sys.setprofile`, on the tests' stack), from `POST /v1/subscriptions`
to the first charge, and from the webhook of the second period to its next schedule: how many files a reader would open,
and how often the way changes from one file to another.
"""

import asyncio
import itertools
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from tests.stack import running_stack, start_dev_server

ROOT = Path(__file__).parents[1]
PRODUCT = ("workflows", "activities", "api", "billing/domain", "billing/ledger", "billing/portone")
UNTIL_RENEWED = 31


@dataclass(slots=True)
class Way:
    """The calls of one stretch, in their order, by the file that each is in."""

    files: list[str] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)

    def note(self, frame: FrameType, event: str, _arg: Any) -> None:
        """Note a call into one of the product's files."""
        if event != "call" or not frame.f_code.co_filename.startswith(str(ROOT)):
            return
        path = frame.f_code.co_filename[len(str(ROOT)) + 1 :]
        if path.startswith(PRODUCT):
            self.files.append(path)
            self.functions.add(f"{path}:{frame.f_code.co_qualname if hasattr(frame.f_code, 'co_qualname') else ''}")

    def told(self, what: str, room: str | None = None) -> str:
        """Files, functions and changes of file, of the whole or of one room."""
        files = [each for each in self.files if room is None or each.startswith(room)]
        changes = sum(1 for one, other in itertools.pairwise(files) if one != other)
        functions = [each for each in self.functions if room is None or each.startswith(room)]
        where = f"{what} in {room}" if room else what
        return f"{where}: {len(set(files))} files, {len(functions)} functions, {changes} changes"


_WATCHED: list[Way] = []
"""The way that is noted now; nothing where it is empty."""


async def main() -> None:
    """Start one, let it renew once, and print both ways."""
    environment = await start_dev_server()
    with tempfile.TemporaryDirectory() as folder:
        async with running_stack(environment.client, Path(folder)) as stack:
            await stack.start()
            first, renewal = Way(), Way()
            _WATCHED.append(first)
            uid = await stack.start()
            _WATCHED.clear()
            await stack.settled(uid)
            _WATCHED.append(renewal)
            await stack.advance(uid, days=UNTIL_RENEWED)
            await stack.settled(uid)
            _WATCHED.clear()
    await environment.shutdown()
    for what, way in (("start to first charge", first), ("renewal to next schedule", renewal)):
        for room in (None, "workflows", "billing/domain/subscription"):
            print(way.told(what, room))  # noqa: T201 - what it is for


def _note(frame: FrameType, event: str, arg: Any) -> None:
    for way in _WATCHED:
        way.note(frame, event, arg)


if __name__ == "__main__":
    # Before any thread is there: each takes it from here.
    threading.setprofile(_note)
    sys.setprofile(_note)
    asyncio.run(main())
