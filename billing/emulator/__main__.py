"""`python -m billing.emulator`: an emulator for the process that started it.

It keeps everything in memory, takes any free port of the loopback interface, prints its address, and ends when its
standard input does: with whoever started it.
"""

import asyncio
import os
import signal
import sys
import threading

from billing.emulator import create_emulator, serve


def main() -> None:
    """Serve until standard input ends."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    asyncio.run(serve(create_emulator(), host="127.0.0.1", port=0, listens=_tell))


def _tell(address: str) -> None:
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
