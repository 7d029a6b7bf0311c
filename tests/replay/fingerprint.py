"""The commands of each committed history, as text beside it: `python -m tests.replay.fingerprint` writes them.

They are for reading: what a workflow does, command by command, and what a change of it would have to keep.
"""

import asyncio
from pathlib import Path

from api.fingerprint import fingerprint, text
from api.replay import history_files, read_history
from billing.temporal import DATA_CONVERTER

HISTORIES = Path(__file__).parent / "histories"
FINGERPRINTS = Path(__file__).parent / "fingerprints"


def name_of(path):
    return path.name.partition(".")[0]


async def derived(path):
    """The fingerprint of the history in `path`, as its file should hold it."""
    return text(await fingerprint(read_history(path), DATA_CONVERTER))


async def write_all():
    """Write the fingerprint of every history, and no others."""
    FINGERPRINTS.mkdir(exist_ok=True)
    files = {FINGERPRINTS / f"{name_of(path)}.txt": await derived(path) for path in history_files(HISTORIES)}
    for path in set(FINGERPRINTS.iterdir()) - files.keys():
        path.unlink()
    for path, content in files.items():
        path.write_text(content)


if __name__ == "__main__":
    asyncio.run(write_all())
