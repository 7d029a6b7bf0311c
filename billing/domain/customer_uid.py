"""Which customer_uids are accepted, before one of them reaches a URL path (design section 2)."""

import re

_CUSTOMER_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,79}\Z")


def is_valid_customer_uid(text: str) -> bool:
    """Whether `text` is 1 to 80 of letters, digits, `_ . : @ -`, starts with a letter or digit, and holds no `..`."""
    return _CUSTOMER_UID.match(text) is not None and ".." not in text
