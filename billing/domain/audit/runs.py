"""Runs: one for each living subscription and none besides, small enough to go on, and replayable."""

from collections.abc import Iterator

from billing.domain.audit.books import Books, Run
from billing.domain.audit.invariant import Leeways, Violation
from billing.domain.states import ENDED

SUBSCRIPTION = "subscription/"
"""What the workflow id of a subscription begins with."""


def runs_are_bounded(books: Books, leeways: Leeways) -> Iterator[Violation]:
    """No run grows beyond what it may be, nor carries more than it can hand on."""
    for run in books.runs or ():
        grown = (
            ("events", run.events, leeways.events),
            ("bytes of history", run.history_bytes, leeways.history_bytes),
            ("signals", run.signals, leeways.signals),
            ("bytes carried", run.carried_bytes, leeways.carried_bytes),
        )
        for what, number, most in grown:
            if number > most:
                yield _about(run, f"{number:,} {what}, and {most:,} are the most")


def histories_replay(books: Books, _leeways: Leeways) -> Iterator[Violation]:
    """Every history replays on the code that runs."""
    for run in books.runs or ():
        if run.replays is False:
            yield _about(run, "its history does not replay on this code")


def no_run_is_astray(books: Books, leeways: Leeways) -> Iterator[Violation]:
    """A subscription lives exactly as long as its run runs."""
    running = {run.workflow_id: run for run in books.runs or () if run.running}
    living = {}
    for record in books.ledger.subscriptions:
        if record.status in ENDED:
            continue
        living[record.workflow_id] = record
        run = running.get(record.workflow_id)
        another = run is not None and run.subscription_id not in (None, record.subscription_id)
        if run is None or another:
            yield Violation(
                sentence=f"{record.customer_uid} is {record.status} here, and "
                + ("another life runs in its place" if another else "no workflow runs for it"),
                customer_uid=record.customer_uid,
                subscription_id=record.subscription_id,
                workflow_id=record.workflow_id,
            )
    for workflow_id, run in running.items():
        is_young = books.clock.latest() - run.started_at < leeways.settle
        if workflow_id.startswith(SUBSCRIPTION) and workflow_id not in living and not is_young:
            yield _about(run, "it runs, and the ledger has no living subscription for it")


def _about(run: Run, sentence: str) -> Violation:
    return Violation(
        sentence=f"{run.workflow_id}: {sentence}", workflow_id=run.workflow_id, subscription_id=run.subscription_id
    )
