"""One sabotage of the product, and the test that must notice it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One sabotage, small enough to be read: a text of one file, and what stands there instead.

    Args:
        name: of the mutant; unique, words joined by hyphens.
        breaks: what is wrong with the product then, in a sentence.
        file: from the root of the checkout.
        text: what is replaced; it stands in the file exactly once.
        replacement: what stands there instead.
        caught_by: the node id of a test in `make test`; of parametrised ones all count.
        classic: which of the sixteen of the first list it is, such as "M3"; None for one of our own.
    """

    name: str
    breaks: str
    file: str
    text: str
    replacement: str
    caught_by: str
    classic: str | None = None
