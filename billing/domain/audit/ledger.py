"""The ledger by itself: every state of a charge has its story, every decision its person, and the file is whole."""

from collections import defaultdict
from collections.abc import Iterator

from billing.domain.audit.books import Books, Charge
from billing.domain.audit.invariant import Leeways, Violation
from billing.domain.states import CycleState


def every_state_has_its_story(books: Books, _leeways: Leeways) -> Iterator[Violation]:
    """A charge that is not just planned stands in a state that a result told of; decisions say who and why."""
    told: dict[str, set[CycleState]] = defaultdict(set)
    for result in books.ledger.results:
        told[result.merchant_uid].add(result.state)
    for charge in books.ledger.charges:
        if charge.state is not CycleState.PLANNED and charge.state not in told[charge.merchant_uid]:
            yield _about(charge, f"order {charge.merchant_uid} is {charge.state}, and nothing says how it came to that")
        if charge.sends > 0 and charge.sent_at is None:
            yield _about(charge, f"order {charge.merchant_uid} was sent {charge.sends} times, and nothing says when")
    for number in told.keys() - books.charges.keys():
        yield Violation(sentence=f"order {number} has results and was never opened", merchant_uids=(number,))
    for decision in books.ledger.decisions:
        if not decision.by.strip() or not decision.reason.strip():
            yield Violation(
                sentence=f"{decision.decision} of order {decision.merchant_uid} says not who decided, or not why",
                customer_uid=decision.customer_uid,
                merchant_uids=(decision.merchant_uid,),
            )


def the_database_is_whole(books: Books, _leeways: Leeways) -> Iterator[Violation]:
    """The file that the ledger is in reads through from end to end."""
    database = books.ledger.database
    if database is not None and not database.whole:
        yield Violation(sentence=f"the ledger's database is damaged: {database.says}")


def _about(charge: Charge, sentence: str) -> Violation:
    return Violation(
        sentence=sentence,
        customer_uid=charge.customer_uid,
        subscription_id=charge.subscription_id,
        cycle=charge.cycle,
        merchant_uids=(charge.merchant_uid,),
    )
