"""What an invariant is: a sentence that must hold, what has to be read to judge it, and the function that judges."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from billing.domain.audit.books import Books


class Book(StrEnum):
    """A book that may be missing; the ledger never is."""

    PROVIDER = "PortOne's books"
    RUNS = "the workflows"
    JOURNAL = "a journal of what was asked"
    EXPECTED = "what is expected, worked out apart"
    DATABASE = "its database, read through"
    REPLAYS = "the histories, replayed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leeways:
    """How much later one book may be than another before it counts, and how large things may grow.

    Args:
        settle: money younger than this is being settled by its workflow at this moment.
        overdue: how long something may be due; four of a workflow's own looks are over by then.
        apart: two instants closer than this are the same one.
        webhook: how long a webhook may wait for what it comes to.
        recovery: how long after the last fault everything that is due must have come to rest: a quiet window, two
            looks, and the time to drain what has gathered.
        events: of one run; the server suggests a new run at 4,096, and a step may be taken after that.
        history_bytes: of one run; the server suggests a new run at 4 MiB.
        signals: of one run; Temporal refuses the 10,001st.
        carried_bytes: what a run hands to the next one; a payload may have 2 MiB.
        token_life: a token lives for 30 minutes, the last of them is not used.
    """

    settle: timedelta = timedelta(minutes=10)
    overdue: timedelta = timedelta(hours=2)
    apart: timedelta = timedelta(seconds=90)
    webhook: timedelta = timedelta(hours=1)
    recovery: timedelta = timedelta(minutes=30)
    events: int = 5_120
    history_bytes: int = 5 * 1024 * 1024
    signals: int = 5_000
    carried_bytes: int = 512 * 1024
    token_life: timedelta = timedelta(minutes=29)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One place where an invariant does not hold, with the names to look it up by, and a sentence for people."""

    sentence: str
    customer_uid: str | None = None
    subscription_id: str | None = None
    cycle: int | None = None
    merchant_uids: tuple[str, ...] = ()
    imp_uids: tuple[str, ...] = ()
    workflow_id: str | None = None


Check = Callable[[Books, Leeways], Iterable[Violation]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """A sentence that must hold of the books.

    Args:
        name: stable.
        statement: the sentence.
        check: yields where it does not hold.
        needs: the books without which it is not judged.
    """

    name: str
    statement: str
    check: Check
    needs: frozenset[Book] = frozenset()

    def missing(self, books: Books) -> tuple[Book, ...]:
        """The books that it needs and that were not read."""
        read = {
            Book.PROVIDER: books.provider,
            Book.RUNS: books.runs,
            Book.JOURNAL: books.journal,
            Book.EXPECTED: books.expected,
            Book.DATABASE: books.ledger.database,
            Book.REPLAYS: next((run for run in books.runs or () if run.replays is not None), None),
        }
        return tuple(book for book in Book if book in self.needs and read[book] is None)
