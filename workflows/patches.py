"""The ids of `workflow.patched`, oldest first, with a sentence each.

A run that began before one goes on in its old way until it continues as new (docs/runbooks/deploy.md).
"""

from collections.abc import Mapping
from types import MappingProxyType

PAID_EARLY = "revoke-what-was-paid-early"

PATCHES: Mapping[str, str] = MappingProxyType(
    {
        PAID_EARLY: (
            "The schedule of a period that was paid before its day, by hand in the console, is revoked: PortOne may "
            "charge it on that day all the same where a part of the payment went back."
        ),
    }
)
"""Every id that the workflows ask for: what has been different since it."""
