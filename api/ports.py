"""Which ports on loopback the local stack takes: bound and listened on at once, never asked about and taken later."""

import contextlib
import dataclasses
import json
import socket
from collections.abc import Collection, Mapping
from pathlib import Path

from api.data_folder import write_private

FILE = "ports.json"
BACKLOG = 2048
_NEXT_ONES = 50


@dataclasses.dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts listen on loopback; before they do, where they would like to: 0 is any free port."""

    temporal: int
    temporal_ui: int
    emulator: int
    api: int


PREFERRED = Ports(temporal=7233, temporal_ui=8233, emulator=8100, api=8000)
ANY = Ports(temporal=0, temporal_ui=0, emulator=0, api=0)


def choose_ports(folder: Path, *, wanted: Mapping[str, int | None], preferred: Ports | None = PREFERRED) -> Ports:
    """The ports to begin with: those asked for, those the stack had last time, or the usual ones (None: any).

    The last time's come before the usual ones: schedules at the emulator carry the api's port in their notice_url.
    Nothing is taken yet; where one of these is not free when a part begins to listen, it takes the next one that is.
    """
    last = remembered_ports(folder)
    usual = preferred or ANY
    return Ports(
        **{
            field.name: wanted.get(field.name) or last.get(field.name) or getattr(usual, field.name)
            for field in dataclasses.fields(Ports)
        }
    )


def remembered_ports(folder: Path) -> dict[str, int]:
    """The ports that a stack on this folder had last time, by part; empty when there was none."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((folder / FILE).read_text())
        if isinstance(found, dict):
            return {name: port for name, port in found.items() if isinstance(port, int) and 0 < port < 1 << 16}
    return {}


def remember_ports(folder: Path, ports: Ports) -> None:
    """Keep where the parts really listen, for the next start and for commands that look for a running stack."""
    write_private(folder / FILE, json.dumps(dataclasses.asdict(ports)))


def listen_on(first: int) -> socket.socket:
    """A socket that listens on loopback: at `first`, the next free port after it, or any (0)."""
    for port in _next_ones(first):
        with contextlib.suppress(OSError):
            return socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    return socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)


def free_port(first: int, *, besides: Collection[int] = ()) -> int:
    """A port that is free at this moment, found as `listen_on` does, for a process that can only be told a number.

    It may be taken a moment later: then that process ends, and is to be told another.
    """
    for port in _next_ones(first):
        if port not in besides:
            with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
                return port
    while True:
        with socket.create_server(("127.0.0.1", 0)) as found:
            port = int(found.getsockname()[1])
        if port not in besides:
            return port


def _next_ones(first: int) -> range:
    return range(first, min(first + _NEXT_ONES, 1 << 16) if first else 0)
