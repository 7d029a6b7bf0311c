"""Webhooks: each is accounted for, decided in time, and a forged one changes nothing."""

from collections import Counter
from collections.abc import Iterator

from billing.domain.audit.books import Books
from billing.domain.audit.invariant import Leeways, Violation


def every_webhook_is_accounted_for(books: Books, leeways: Leeways) -> Iterator[Violation]:
    """What was taken is counted, each in one row, and each row comes to something before long."""
    for hook in books.ledger.webhooks:
        if hook.disposition is None and books.clock.latest() - hook.last_at > leeways.webhook:
            yield _about(hook.identity, f"came at {hook.last_at:%Y-%m-%d %H:%M:%S} and has come to nothing")
    if books.journal is None:
        return
    counted: Counter[tuple[str, str, str, str]] = Counter()
    for hook in books.ledger.webhooks:
        counted[hook.identity] += hook.count
    for identity, times in books.journal.deliveries.items():
        if counted[identity] != times:
            yield _about(identity, f"was taken {times} times, and is counted {counted[identity]} times")


def nobody_is_believed_without_proof(books: Books, _leeways: Leeways) -> Iterator[Violation]:
    """A request without a credential causes no look-up at PortOne, and what only a forged webhook named is nowhere."""
    journal = books.journal
    if journal is None:
        return
    if journal.look_ups_for_strangers:
        yield Violation(sentence=f"{journal.look_ups_for_strangers} look-ups at PortOne were caused by strangers")
    believed = {row.imp_uid for row in books.ledger.payments} | {row.imp_uid for row in books.ledger.results}
    believed |= {row.imp_uid for row in books.ledger.charges}
    for imp_uid in sorted(journal.forged & {name for name in believed if name}):
        yield Violation(sentence=f"{imp_uid} was named by a forged webhook alone, and is booked", imp_uids=(imp_uid,))


def _about(identity: tuple[str, str, str, str], sentence: str) -> Violation:
    imp_uid, merchant_uid, status, _ = identity
    return Violation(
        sentence=f"the webhook {status} of {imp_uid}, order {merchant_uid}, {sentence}",
        merchant_uids=(merchant_uid,),
        imp_uids=(imp_uid,),
    )
