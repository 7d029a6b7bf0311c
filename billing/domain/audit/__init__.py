"""What must hold of the books, whatever was lost, repeated, late, forged or killed: one library, wherever it is judged.

`gudok audit` judges production by it, the fault harness its worlds, and the tests their stacks.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from billing.domain.audit import attempts, calls, ends, ledger, money, periods, promises, runs, secrets, webhooks
from billing.domain.audit.books import Books
from billing.domain.audit.invariant import Book, Invariant, Leeways, Violation

_PROVIDER, _RUNS, _JOURNAL = frozenset({Book.PROVIDER}), frozenset({Book.RUNS}), frozenset({Book.JOURNAL})

INVARIANTS: tuple[Invariant, ...] = tuple(
    Invariant(name=name, statement=statement, check=check, needs=needs)
    for name, statement, check, needs in (
        ("paid_at_most_once", "A period, or an order, holds money of at most one payment.",
         money.paid_at_most_once, _PROVIDER),
        ("paid_by_one_order", "No key is charged for one period twice, whatever the order numbers.",
         money.paid_by_one_order, _PROVIDER),
        ("one_fate", "Every period that is over is paid once, or says why not; none is missing.",
         periods.every_period_has_one_fate, frozenset()),
        ("nothing_due_unlisted", "Nothing is due that no list shows.",
         periods.nothing_due_is_unlisted, frozenset()),
        ("books_agree", "PortOne and the ledger have the same payments of our orders.",
         money.books_agree, _PROVIDER),
        ("no_charge_after_cancel", "What was told to have ended is not charged, or the money went back.",
         ends.nothing_charged_after_a_cancel, _PROVIDER),
        ("no_charge_on_an_ended_key", "Nobody charges a key after its last subscription has ended, and keeps it.",
         ends.nothing_charged_on_an_ended_key, _PROVIDER),
        ("nothing_left_scheduled", "What has ended stands scheduled at PortOne no more.",
         ends.nothing_stands_after_an_end, _PROVIDER),
        ("paid_as_ordered", "What is booked as paid was paid as it was ordered.",
         money.paid_as_ordered, _PROVIDER),
        ("cards_not_hammered", "A card is tried within its scheme's and its policy's bounds, and never after it paid.",
         attempts.cards_are_not_hammered, _PROVIDER),
        ("refunded_at_most_once", "No more goes back than was paid, and each refund once.",
         money.refunded_at_most_once, _PROVIDER),
        ("right_key", "Only the key that was ordered from is charged, and a deleted one no more.",
         attempts.only_the_held_key_is_charged, _PROVIDER),
        ("acknowledged_is_kept", "What was answered as done is kept, and one Idempotency-Key has one answer.",
         promises.what_was_acknowledged_is_kept, _JOURNAL),
        ("webhooks_accounted", "Every webhook is counted, and comes to something.",
         webhooks.every_webhook_is_accounted_for, frozenset()),
        ("runs_bounded", "No run outgrows what it may be.",
         runs.runs_are_bounded, _RUNS),
        ("no_card_data", "Nothing that was typed in of a card is left anywhere.",
         secrets.no_card_data_is_left, _JOURNAL),
        ("authentic", "Strangers cause no look-up, and nothing forged is booked.",
         webhooks.nobody_is_believed_without_proof, _JOURNAL),
        ("known_routes", "PortOne receives only the requests that this project makes.",
         calls.only_known_routes_are_called, _JOURNAL),
        ("in_turn", "Periods are paid in their order, and not before their day.",
         periods.periods_come_in_turn, frozenset()),
        ("no_input_breaks", "No input is answered with an error of ours.",
         promises.no_input_breaks_the_api, _JOURNAL),
        ("amounts_in_bounds", "Every amount is a whole number above 0 and within the bound.",
         money.amounts_are_within_bounds, frozenset()),
        ("rests_after_faults", "A while after the last fault, everything that is due has come to rest.",
         periods.everything_rests_once_faults_end, _JOURNAL),
        ("tokens_kept", "A token is asked for once in its life.",
         calls.tokens_are_kept, _JOURNAL),
        ("replays", "Every history replays on the code that runs.",
         runs.histories_replay, frozenset({Book.REPLAYS})),
        ("every_state_told", "Every state of a charge has its story, and every decision its person.",
         ledger.every_state_has_its_story, frozenset()),
        ("no_run_astray", "A subscription lives exactly as long as its run runs.",
         runs.no_run_is_astray, _RUNS),
        ("database_whole", "The ledger's database reads through from end to end.",
         ledger.the_database_is_whole, frozenset({Book.DATABASE})),
    )
)  # fmt: skip
"""Everything that must hold, in the order of reliability: money first."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of one invariant: where it does not hold, and what was missing to judge it."""

    invariant: Invariant
    violations: tuple[Violation, ...] = ()
    missing: tuple[Book, ...] = ()

    @property
    def holds(self) -> bool | None:
        """Whether it holds; None where it was not judged."""
        return None if self.missing else not self.violations


def judge(
    books: Books, leeways: Leeways | None = None, invariants: Iterable[Invariant] = INVARIANTS
) -> tuple[Judgement, ...]:
    """Judge the books by every invariant, or by some; what needs a book that was not read is not judged."""
    leeways = leeways or Leeways()
    return tuple(
        Judgement(each, missing=missing)
        if (missing := each.missing(books))
        else Judgement(each, tuple(each.check(books, leeways)))
        for each in invariants
    )


def violations(books: Books, leeways: Leeways | None = None) -> list[tuple[str, Violation]]:
    """Every violation there is, each with the name of its invariant; nothing that was not judged counts as fine."""
    return [(each.invariant.name, found) for each in judge(books, leeways) for found in each.violations]


__all__ = ["INVARIANTS", "Book", "Books", "Invariant", "Judgement", "Leeways", "Violation", "judge", "violations"]
