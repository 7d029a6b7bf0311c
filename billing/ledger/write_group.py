"""Writes of one process that are committed together: on SQLite a commit waits for the disk, a write does not.

Steps that wait for their turn anyway join the transaction that is open: each is whole or not at all by a savepoint of
its own, and none returns before the one commit of all of them is on disk.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction

from billing.ledger.errors import LedgerUnavailableError

MOST_STEPS = 16
"""Of one transaction: so long other processes wait for theirs, and the first step of it for its commit."""

PAUSE_SECONDS = 0.005
"""Between two transactions that follow each other at once: in it another process, which has to look, begins its own."""


class _Transaction:
    def __init__(self, connection: AsyncConnection, transaction: AsyncTransaction) -> None:
        self.connection = connection
        self.transaction = transaction
        self.steps = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class WriteGroup:
    """The writes of one engine, one after the other, and as few commits for them as possible."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._open: _Transaction | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def step(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        """One step in a transaction: on disk when the block has ended, undone whole on any error.

        Raises:
            LedgerUnavailableError: the transaction that it was part of came to nothing; do it again.
        """
        await self._take_turn()
        try:
            group = self._open or await self._begin(engine)
        except BaseException:
            self._turn.release()
            raise
        undone = False
        try:
            savepoint = await group.connection.begin_nested() if group.steps else None
            try:
                yield group.connection
            except BaseException:
                if savepoint is not None:
                    with suppress(SQLAlchemyError):
                        await savepoint.rollback()
                        undone = True
                raise
            if savepoint is not None:
                await savepoint.commit()
        except BaseException:
            await self._failed(group, undone=undone)
            raise
        group.steps += 1
        self._hand_on(group)
        # Whoever waits may be cancelled; the others' commit may not.
        await asyncio.shield(group.done)

    async def _take_turn(self) -> None:
        self._waiting += 1
        try:
            await self._turn.acquire()
        except BaseException:
            if self._open is not None and self._waiting == 1:
                # It was waited for, and does not come: nobody else would commit.
                self._start(self._end_when_free())
            raise
        finally:
            self._waiting -= 1

    async def _begin(self, engine: AsyncEngine) -> _Transaction:
        connection = await engine.connect()
        try:
            self._open = _Transaction(connection, await connection.begin())
        except BaseException:
            await connection.close()
            raise
        return self._open

    async def _failed(self, group: _Transaction, *, undone: bool) -> None:
        """Go on without a step that its savepoint has undone; otherwise undo all of its transaction."""
        # With some errors SQLite undoes the whole transaction by itself: then no savepoint is left to go back to.
        if undone:
            self._hand_on(group)
        else:
            await asyncio.shield(self._start(self._end(group, commits=False)))

    def _hand_on(self, group: _Transaction) -> None:
        if self._waiting and group.steps < MOST_STEPS:
            self._turn.release()
        else:
            self._start(self._end(group, commits=True))

    def _start(self, ending: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(ending)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    async def _end_when_free(self) -> None:
        await self._turn.acquire()
        if self._open is None:
            self._turn.release()
        else:
            await self._end(self._open, commits=True)

    async def _end(self, group: _Transaction, *, commits: bool) -> None:
        """Commit, or undo all of it; then whoever is in it learns what came of it, and the next has its turn."""
        self._open = None
        try:
            try:
                await (group.transaction.commit() if commits else group.transaction.rollback())
            finally:
                # A commit that failed has left it open, and SQLAlchemy takes it for ended.
                await _undo(group.connection)
                await group.connection.close()
        except Exception as error:  # noqa: BLE001 - every step of it raises what came of it
            group.done.set_exception(error)
        else:
            if commits:
                group.done.set_result(None)
            else:
                group.done.set_exception(LedgerUnavailableError("the transaction came to nothing with another step"))
        finally:
            # Where nobody is left to ask, it is no news.
            group.done.exception()
            if self._waiting:
                await asyncio.sleep(PAUSE_SECONDS)
            self._turn.release()


async def _undo(connection: AsyncConnection) -> None:
    driver = (await connection.get_raw_connection()).driver_connection
    if driver is not None and driver.in_transaction:
        await driver.rollback()
