"""The ids of `workflow.patched`, oldest first, with a sentence each.

A run that began before one goes on in its old way until it continues as new (docs/runbooks/deploy.md).
"""

from collections.abc import Mapping
from types import MappingProxyType

PAID_EARLY = "revoke-what-was-paid-early"
WAIT_OF_A_RESUME = "say-until-when-a-resume-waits"

PATCHES: Mapping[str, str] = MappingProxyType(
    {
        PAID_EARLY: (
            "The schedule of a period that was paid before its day, by hand in the console, is revoked: PortOne may "
            "charge it on that day all the same where a part of the payment went back."
        ),
        WAIT_OF_A_RESUME: (
            "A run that looks for the outcome of the charge that ends a pause writes until when it waits, so that it "
            "is not told as overdue."
        ),
    }
)
"""Every id that the workflows ask for: what has been different since it."""
