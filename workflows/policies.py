"""Timeouts and retry policies by name, each number with its reason.

Only calls that change nothing, or that the ledger guards, are retried by Temporal.
A call whose second sending could do something twice is sent once, and its doubt is closed by a look-up.
"""

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy


class ActivityOptions(TypedDict):
    """What every activity call passes on to Temporal."""

    start_to_close_timeout: timedelta
    retry_policy: RetryPolicy


# Look-ups change nothing: asked again for as long as PortOne is away.
# 40 s leaves the client's own 30 s deadline room to answer first; a dead worker is noticed after it.
# 5 minutes at most between two tries keeps an hour's outage from turning into an hour's extra delay.
LOOK_UP = ActivityOptions(
    start_to_close_timeout=timedelta(seconds=40),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=5)
    ),
)

# What a subscription asks while commands wait to be heard: three tries bridge a restart, then it waits, and hears them
# (`SubscriptionState.asks_again_at`). 40 s leaves the client's own 30 s deadline room to answer first.
ASK = ActivityOptions(
    start_to_close_timeout=timedelta(seconds=40),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_attempts=3),
)

# The same for several questions that one call asks in turn, each with its own 30 s: the payment that was reported, all
# payments of the order, the schedule.
ASK_IN_TURN = ActivityOptions(
    start_to_close_timeout=timedelta(seconds=100),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_attempts=3),
)

# A charge may be entered again by Temporal: the ledger's `send_no` lets the request leave once, whoever enters.
# 45 s is the client's 30 s deadline plus two ledger transactions; what is still open after five tries is `unknown`, and
# commands are heard while it is looked up.
CHARGE = ActivityOptions(
    start_to_close_timeout=timedelta(seconds=45),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2.0,
        maximum_attempts=5,
        non_retryable_error_types=["LedgerConflict"],
    ),
)

# Sent once: a schedule, a key or a refund whose answer is lost is looked up before anything is sent again.
SEND_ONCE = ActivityOptions(
    start_to_close_timeout=timedelta(seconds=45),
    retry_policy=RetryPolicy(maximum_attempts=1),
)

# Revoking and deleting do nothing the second time, so an outage is waited out by workflows that nobody commands.
REPEATABLE = LOOK_UP

# Deleting a key that is not charged any more can wait: billing must not stand still where PortOne, or the PG behind it,
# will not delete. Three tries bridge a restart; what is left is tried again with each period.
TIDY = ActivityOptions(
    start_to_close_timeout=timedelta(seconds=40),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_attempts=3),
)

# The ledger is ours and near: 15 s covers SQLite's busy wait, one minute between tries a database fail-over.
# A step that contradicts the ledger is tried for ever too: the subscription stands still, visibly, and charges nothing
# until a person has looked; a workflow that failed instead would be gone.
LEDGER = ActivityOptions(
    start_to_close_timeout=timedelta(seconds=15),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(milliseconds=500),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(minutes=1),
    ),
)

# Waits before a card is sent again after an answer that was lost: a person is at the page, and no money moves here.
ISSUE_AGAIN_AFTER = (timedelta(seconds=3), timedelta(seconds=20))

# Waits before a schedule is registered again after a doubt that the look-up closed as absent; after a day of it we
# charge the period ourselves, on its day.
REGISTER_AGAIN_AFTER = (
    timedelta(seconds=2),
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=12),
)

# A retry that PortOne answers and does not book: some PGs cannot book one again, so it is asked less often.
RESCHEDULE_AGAIN_AFTER = REGISTER_AGAIN_AFTER[:5]

# A schedule that an unanswered call may have changed is read again soon, and once more when the call's window is over.
ROW_LOOKS = (timedelta(seconds=2), timedelta(seconds=30))

# Ten at once: an old loop that registered two years of months is taken back in three turns.
TAKE_BACK_AT_ONCE = 10

# The charge that a PG makes when it issues a key may be listed a moment later than the key.
CHARGE_AT_ISSUE_AGAIN_AFTER = (timedelta(seconds=2), timedelta(seconds=10))

# A schedule of somebody else that stands parked is looked at daily, and soon after it is to run.
LEFT_SCHEDULE_LOOK = timedelta(days=1)
LEFT_SCHEDULE_RAN = timedelta(minutes=5)

# No timer is longer, whatever instant it waits for: Temporal counts a duration in 292 years of nanoseconds.
LONGEST_WAIT = timedelta(days=36_525)

# A schedule that a look does not show is looked for again so soon, until it cannot be a look that lags behind.
MISSING_LOOK = timedelta(minutes=5)

# PortOne refuses a schedule in the past; a minute absorbs clock skew between it and Temporal.
SCHEDULE_MARGIN = timedelta(minutes=1)

# Reported payments looked into in one step: PortOne takes a hundred ids at once, look-ups of several payments are one
# call, and one write answers all of them, so that the step is some 20 events of history and 5,000 reports are 1,000.
PAYMENTS_AT_ONCE = 100

# Reports that may be carried into the next run: 250 bytes each, of the 2 MiB that a payload may have; before it
# continues as new with more, a run answers them.
MOST_CARRIED_REPORTS = 1000

# PortOne's row says that the charge ran, and its payment is not there yet: once a minute for ten, then it is unknown,
# and is looked at daily until somebody knows.
WINNER_LOOKS = 10

# A refund whose outcome is open: after these waits somebody is told, and after all of RESEND_AFTER it is asked once a
# day until PortOne says yes or no. The checksum lets it take effect once, however often it is sent.
REFUND_TOLD_AFTER = timedelta(minutes=2)
REFUND_AGAIN_DAILY = timedelta(days=1)

# PortOne refused a refund of which an earlier request was never answered: as long as that may still be on its way, the
# same ten minutes as for a charge (design section 2), the refusal is not believed.
REFUND_SETTLES_WITHIN = timedelta(minutes=10)

# The payment to refund was seen before, and a look does not show it: looks lag behind for minutes at most, so all of
# these together are the ten minutes after which anything that is not shown counts as absent.
REFUND_LOOKS = (timedelta(seconds=2), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=8))

# Before a payment is asked for again that another refund is being made of: soon at first, hourly in an outage of days.
REFUND_BUSY = (timedelta(seconds=2), timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=10))
REFUND_BUSY_HOURLY = timedelta(hours=1)

# Money that should have gone back and did not: looked at daily until it has, or a person has decided.
FACT_LOOK = timedelta(days=1)

# What stands parked and could not be looked at is looked at again before its next day.
PARKED_LOOK_AGAIN = timedelta(hours=1)

# Before an event's turn is asked for again when an attempt came to nothing for a reason of ours (a worker that died,
# a ledger that is away): the endpoint must not be the one who is asked in a loop.
DELIVERY_PAUSE = timedelta(minutes=1)


class PageOptions(ActivityOptions):
    """What a call that works through a page passes on besides."""

    heartbeat_timeout: timedelta
    schedule_to_close_timeout: timedelta


# One page of a reconciliation: a thousand rows, and a fresh look at each that may differ; half an hour is a disaster's
# length, when most of them do. A heartbeat follows every look, so a dead worker is noticed after two of PortOne's
# deadlines. After three hours it is given up: the next run begins before long, and compares the same window again.
COMPARE = PageOptions(
    start_to_close_timeout=timedelta(minutes=30),
    heartbeat_timeout=timedelta(seconds=75),
    schedule_to_close_timeout=timedelta(hours=3),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=5)
    ),
)
