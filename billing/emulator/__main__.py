"""`python -m billing.emulator SETTINGS`: an emulator for the process that started it.

SETTINGS is `EmulatorSettings` as JSON. It keeps everything in memory unless they say otherwise, takes any free port of
the loopback interface, prints its address, and ends when its standard input does: with whoever started it.
"""

import asyncio
import os
import signal
import sys
import threading

from billing.emulator import EmulatorSettings, create_emulator, serve


def main() -> None:
    """Serve until standard input ends."""
    settings = EmulatorSettings.model_validate_json(sys.argv[1] if len(sys.argv) > 1 else "{}")
    threading.Thread(target=_end_with_input, daemon=True).start()
    asyncio.run(serve(create_emulator(settings), host="127.0.0.1", port=0, listens=_tell))


def _tell(address: str) -> None:
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
