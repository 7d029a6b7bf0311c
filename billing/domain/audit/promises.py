"""What was answered: an acknowledged call is kept, the same request has one answer, and no input breaks anything."""

from collections import defaultdict
from collections.abc import Iterator

from billing.domain.audit.books import Books, Operation
from billing.domain.audit.invariant import Leeways, Violation

_SERVER_ERROR = 500


def what_was_acknowledged_is_kept(books: Books, _leeways: Leeways) -> Iterator[Violation]:
    """Everything that was answered as done is in the ledger, and one Idempotency-Key has one answer."""
    operations = books.journal.operations if books.journal else ()
    refunds = {each.refund_id for each in books.ledger.refunds}
    for operation in operations:
        if not operation.acknowledged:
            continue
        named = (
            ("subscription", operation.subscription_id, books.lives),
            ("order", operation.merchant_uid, books.charges),
            ("refund", operation.refund_id, refunds),
        )
        for what, name, kept in named:
            if name is not None and name not in kept:
                yield _about(
                    operation, f"{operation.name} was answered {operation.status}, and {what} {name} is nowhere"
                )
    answers: dict[str, dict[str, Operation]] = defaultdict(dict)
    for operation in operations:
        if operation.acknowledged and operation.idempotency_key is not None:
            answers[operation.idempotency_key][operation.body] = operation
    for key, bodies in answers.items():
        if len(bodies) > 1:
            yield _about(next(iter(bodies.values())), f"Idempotency-Key {key} was answered in {len(bodies)} ways")


def no_input_breaks_the_api(books: Books, _leeways: Leeways) -> Iterator[Violation]:
    """Nothing that a caller sends is answered with an error of ours."""
    for operation in books.journal.operations if books.journal else ():
        if operation.bad_input and operation.status is not None and operation.status >= _SERVER_ERROR:
            yield _about(operation, f"{operation.name} with bad input was answered {operation.status}")


def _about(operation: Operation, sentence: str) -> Violation:
    return Violation(
        sentence=sentence,
        customer_uid=operation.customer_uid,
        subscription_id=operation.subscription_id,
        merchant_uids=(operation.merchant_uid,) if operation.merchant_uid else (),
    )
