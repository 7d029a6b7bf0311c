"""The ids of `workflow.patched`: a run that began before one may go on in its old way, until it continues as new.

An id is asked for only where there is something to do in the new way, so a run that never gets there bears no mark.
"""

FOREIGN_FACTS = "foreign-facts"
"""Bells of other orders are answered together, judged against the ledger, and acted on."""

REFUND_BY_MARK = "refund-by-mark"
"""A refund is known again by its mark, split as its charge was, and settled for as long as it takes."""

PG_RULES = "pg-rules"
"""What the PG behind a key would refuse is refused before it is asked."""

TAKE_OVER = "take-over"
"""What stands on a billing key is asked for at a start with an existing one, and once more when a subscription ends."""

STILL_PAID = "still-paid"
"""Refunds reduce what a period is paid with, and the days of a pause are neither used nor lost."""

REFUND_TOLD = "refund-told"
"""The subscription whose order was refunded is told of it."""

ENDED_KEY = "ended-key"
"""A start with a card deletes the key that an ended subscription left under its name."""

SCHEDULE_WRITTEN = "schedule-written"
"""That a period stands at PortOne, and for when, is in the ledger as soon as it does."""

REFUND_OWED = "refund-owed"
"""A refund that a PG rule refuses is written and announced, and what an end still owes stands parked."""

PART_ANEW = "part-anew"
"""A part of a period that is paid after access was closed is given as the days that were billed, from then on."""

OURS_LEFT = "ours-left"
"""A charge that a life of ours left is taken back before a card is changed to its key, and stands parked as ours."""
