"""Card data: what was typed in is nowhere afterwards, in whatever spelling a byte search can undo."""

import base64
import json
from collections.abc import Iterator

from billing.domain.audit.books import Books
from billing.domain.audit.invariant import Leeways, Violation

_GROUP = 4
_LEAST = 10
"""Shorter secrets (an expiry, a birth date, two digits of a password) are looked for in a field of their own."""


def no_card_data_is_left(books: Books, _leeways: Leeways) -> Iterator[Violation]:
    """No artefact holds anything that was typed in of a card."""
    journal = books.journal
    if journal is None:
        return
    for what, secret in journal.secrets.items():
        needles = spellings(secret)
        for artefact in journal.artefacts:
            found = next((name for name, needle in needles.items() if needle in artefact.content), None)
            if found is not None:
                yield Violation(sentence=f"{artefact.name} holds the {what}, {found}")


def spellings(secret: str) -> dict[str, bytes]:
    """The byte strings by which a secret is found, by how it is spelled; base64 at each of its three offsets."""
    if len(secret) < _LEAST:
        return {"as a JSON value": json.dumps(secret).encode(), "as an escaped JSON value": f'\\"{secret}\\"'.encode()}
    groups = [secret[first : first + _GROUP] for first in range(0, len(secret), _GROUP)]
    found = {
        "as it stands": secret.encode(),
        "with spaces": " ".join(groups).encode(),
        "with dashes": "-".join(groups).encode(),
        "backwards": secret[::-1].encode(),
        "as hex": secret.encode().hex().encode(),
        "as capital hex": secret.encode().hex().upper().encode(),
        "escaped": "".join(f"\\u{ord(character):04x}" for character in secret).encode(),
        "in UTF-16": secret.encode("utf-16-le"),
    }
    for offset in range(3):
        # The characters at both ends depend on what stands beside the secret.
        coded = base64.b64encode(b"\0" * offset + secret.encode())
        found[f"in base64 from byte {offset}"] = coded[4 if offset else 0 : len(coded) - 4]
    return found
