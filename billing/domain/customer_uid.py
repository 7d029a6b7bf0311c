"""The caller's name for one card of one customer, PortOne's key into the stored billing keys."""

import re

_CUSTOMER_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,79}", re.ASCII)


def is_valid_customer_uid(text: str) -> bool:
    """True when the text may stand in a URL path and in a workflow id as it is.

    1 to 80 characters (facts.md 2.3), starting with a letter or digit, and without `..`: HTTP clients fold `..` in
    a path, and a charge would end up at another endpoint (anchors/reliability.md F70).
    """
    return _CUSTOMER_UID.fullmatch(text) is not None and ".." not in text
