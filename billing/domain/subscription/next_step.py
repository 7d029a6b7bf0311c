"""What a subscription does next: one table of what is due beside the period, one of where the period stands.

What if the webhook never comes? The row "the charge is due" has an instant: the next look-up deadline. When it is
reached, the payment is looked up whether or not anybody reported it: the timer, not the webhook, guarantees progress.
No row waits: the run does, until the earliest instant of all of them (`workflows.subscription.workflow`). The table is
pure: it says what is done, and `workflows.subscription.steps` does it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.domain import calls
from billing.domain.instants import AT_ONCE
from billing.domain.states import ENDED
from billing.domain.subscription import (
    consent_need,
    consenting,
    dunning,
    ending,
    pausing,
    reminders,
    scheduling,
    skipping,
)
from billing.domain.subscription.standing import STANDING
from billing.domain.subscription.subscription import Subscription

Instant = Callable[[Subscription, datetime], datetime | None]
Applies = Callable[[Subscription], bool]
Words = Callable[[Subscription], str]


class Act(StrEnum):
    """Each thing that a subscription may do next; `workflows.subscription.steps` has one function for each."""

    ANNOUNCE = "announce"
    REFUND = "refund"
    READ_CALL_AGAIN = "read_call_again"
    READ_SCHEDULE_AGAIN = "read_schedule_again"
    PLAN_AGAIN = "plan_again"
    DELETE_OLD_KEYS = "delete_old_keys"
    WITHDRAW_QUESTION = "withdraw_question"
    BEGIN_SKIPPED = "begin_skipped"
    LOOK_AT_WHAT_WAS_PUT_OFF = "look_at_what_was_put_off"
    WAIT = "wait"
    TIDY = "tidy"
    OPEN = "open"
    ASK_FOR_CONSENT = "ask_for_consent"
    RESUME = "resume"
    END_PERIOD = "end_period"
    LOOK_UP = "look_up"
    LOOK_UP_OR_END = "look_up_or_end"
    LOOK_UP_OR_CHARGE = "look_up_or_charge"
    SCHEDULE = "schedule"
    COST_NOTHING = "cost_nothing"
    END_WITHOUT_CARD = "end_without_card"
    BEGIN_SCHEDULING = "begin_scheduling"


@dataclass(frozen=True, slots=True)
class Row:
    """Where it stands, what is done there, and when: at once, at an instant, or never by itself when that is None.

    `does` says it in words, for docs/reference/states.md, which is written from these tables.
    `hears` says that a report of the open order brings it on at once.
    """

    name: str
    applies: Applies
    act: Act
    at: Instant
    does: str
    why: Words = lambda _: ""
    hears: bool = False

    def due_at(self, subscription: Subscription, now: datetime) -> datetime | None:
        """When it acts: at once where what it hears has come."""
        heard = self.hears and is_reported(subscription)
        return AT_ONCE if heard else self.at(subscription, now)


@dataclass(frozen=True, slots=True)
class Step:
    """What is done now, or, without an act, until when the subscription waits and why.

    `at_once` says that it follows from what was just done, so that it comes before the next command; what an instant
    brings comes after it. `hears` says that this step takes the reports of the open order.
    """

    act: Act | None
    until: datetime | None = None
    why: str = ""
    at_once: bool = False
    hears: bool = False


def next_step(subscription: Subscription, now: datetime) -> Step:
    """The first thing that is due; else the wait until the first that will be."""
    row = where_it_stands(subscription)
    if not subscription.state.in_flight.may_ask(now):
        return _while_portone_does_not_answer(subscription, now, hears=row.hears)
    rows = [(row, row.due_at(subscription, now))]
    beside = [(each, each.due_at(subscription, now)) for each in BESIDE if each.applies(subscription)]
    instants = [(at, each) for each, at in (*beside, *rows) if at is not None]
    due = [(at, each) for at, each in instants if at <= now]
    if due:
        at_once = [each for at, each in due if at == AT_ONCE]
        first = at_once[0] if at_once else due[0][1]
        return Step(first.act, at_once=bool(at_once), hears=row.hears)
    return Step(None, _first(*(at for at, _ in instants)), row.why(subscription), hears=row.hears)


def where_it_stands(subscription: Subscription) -> Row:
    """The row of the table that the open period stands in."""
    return next(row for row in PERIOD if row.applies(subscription))


def is_reported(subscription: Subscription) -> bool:
    """Whether a notification of the open order waits to be looked into."""
    return bool(subscription.state.reports.about(subscription.terms.merchant_uid))


def _while_portone_does_not_answer(subscription: Subscription, now: datetime, *, hears: bool) -> Step:
    announces_at = reminders.next_at(subscription)
    if announces_at is not None and announces_at <= now:
        return Step(Act.ANNOUNCE, hears=hears)
    until = _first(subscription.state.in_flight.asks_again_at, announces_at)
    return Step(None, until, "PortOne does not answer; asking again", hears=hears)


def _first(*instants: datetime | None) -> datetime | None:
    return min((each for each in instants if each is not None), default=None)


# ---------------------------------------------------------------- when


def _now(_subscription: Subscription, _now: datetime) -> datetime:
    return AT_ONCE


def _due_at(subscription: Subscription, _now: datetime) -> datetime:
    return subscription.state.period.due_at


def look_up_at(subscription: Subscription) -> datetime:
    """The next look-up deadline of the open period."""
    period = subscription.state.period
    return subscription.start.policy.deadlines.look_at(period.due_at, period.looks)


def _attempt_at(subscription: Subscription, _now: datetime) -> datetime | None:
    charge = subscription.state.in_flight.charge
    return charge.attempt.at if charge is not None else None


def _refunds_at(subscription: Subscription, _now: datetime) -> datetime | None:
    """None while only the outcome of one is waited for, and nobody waits to be told that it takes long."""
    refunds = subscription.state.refunds
    return refunds.tell_at if refunds.begun and refunds.next() is not None else refunds.at or AT_ONCE


def _period_ends_at(subscription: Subscription, _now: datetime) -> datetime:
    return subscription.state.periods.end or AT_ONCE


def _can_be_scheduled_at(subscription: Subscription, now: datetime) -> datetime:
    return AT_ONCE if scheduling.within_horizon(subscription, now) else scheduling.opens_at(subscription)


# ---------------------------------------------------------------- where it stands


def _costs_nothing(subscription: Subscription) -> bool:
    """Whether the period is let pass; what a credit pays for in full still needs the consent that its price needs."""
    return subscription.terms.bill().amount.amount == 0 and not consent_need.needs(subscription)


def _is_paused(subscription: Subscription) -> bool:
    return subscription.state.pause.since is not None


def _is_due_or_parked(subscription: Subscription) -> bool:
    state = subscription.state
    parked = state.period.state in STANDING and state.period.parked_reason is not None
    return state.schedule.stands or parked


# ---------------------------------------------------------------- the tables


BESIDE: tuple[Row, ...] = (
    Row(
        "an announcement is due",
        lambda subscription: reminders.next_at(subscription) is not None,
        Act.ANNOUNCE,
        lambda subscription, _now: reminders.next_at(subscription),
        does="announce a renewal, the end of a trial or of the grace, on its day",
    ),
    Row(
        "a refund is under way",
        lambda subscription: bool(subscription.state.refunds.under_way),
        Act.REFUND,
        _refunds_at,
        does="begin the next refund; when all are over, go on with what they are for",
    ),
    Row(
        "the window of an unanswered call is over",
        lambda subscription: bool(subscription.state.in_flight.calls),
        Act.READ_CALL_AGAIN,
        lambda subscription, _now: calls.next_end(subscription.state.in_flight.calls),
        does="read again what the call was about, and take back what stands and should not",
    ),
    Row(
        "the schedule is in doubt",
        scheduling.is_in_doubt,
        Act.READ_SCHEDULE_AGAIN,
        lambda subscription, _now: subscription.state.schedule.look_at,
        does="read the row again; where nothing is to be charged, revoke it again",
    ),
    Row(
        "the charge is to be planned anew",
        scheduling.is_to_be_planned,
        Act.PLAN_AGAIN,
        lambda subscription, _now: scheduling.plans_again_at(subscription),
        does="schedule it again under its number, or give it another one, when no call about it is on its way",
    ),
    Row(
        "an old key is left",
        lambda subscription: subscription.state.keys_are_left,
        Act.DELETE_OLD_KEYS,
        _now,
        does="delete it, once a period, when nothing is scheduled on it",
    ),
    Row(
        "a question is void",
        consenting.is_void,
        Act.WITHDRAW_QUESTION,
        _now,
        does="take the question for consent back",
    ),
    Row(
        "a skipped period begins",
        skipping.is_ahead,
        Act.BEGIN_SKIPPED,
        lambda subscription, _now: skipping.begins_at(subscription),
        does="write that nothing is paid for, so that the service is not given",
    ),
    Row(
        "a look was put off",
        lambda subscription: subscription.state.reports.put_off_until is not None,
        Act.LOOK_AT_WHAT_WAS_PUT_OFF,
        lambda subscription, _now: subscription.state.reports.put_off_until,
        does="look again at an earlier number that was paid while the newer one was in doubt, or for a lost schedule",
    ),
)
"""What is done beside the period, whatever that stands at."""

PERIOD: tuple[Row, ...] = (
    Row(
        "a charge of ours is open",
        lambda subscription: subscription.state.in_flight.charge is not None,
        Act.WAIT,
        _attempt_at,
        does="send it, or look it up, at the instant its attempt names; its proven end goes to whoever wanted it",
        why=lambda _: "the outcome of the charge is unknown; looking it up again",
    ),
    Row(
        "ended",
        lambda subscription: subscription.state.status in ENDED,
        Act.TIDY,
        lambda subscription, _now: ending.tidies_at(subscription),
        does="ask what is left on the key, and find out what was open when it ended; then the run is over",
        why=lambda _: "until nothing is on its way any more",
    ),
    Row(
        "opening",
        lambda subscription: not subscription.state.opening.is_over,
        Act.OPEN,
        lambda subscription, _now: subscription.state.opening.at or AT_ONCE,
        does="find or issue the key, see what stands on it, and begin the trial or the first charge",
        why=lambda _: "the outcome of issuing the key is unknown",
    ),
    Row(
        "paused, consent is needed to go on",
        lambda subscription: _is_paused(subscription) and consent_need.needs(subscription),
        Act.ASK_FOR_CONSENT,
        lambda subscription, _now: consenting.gate_at(subscription),
        does="ask the buyer 30 days before it resumes; without an answer by then, end or hold the price",
        why=consenting.gate_why,
    ),
    Row(
        "paused",
        _is_paused,
        Act.RESUME,
        lambda subscription, _now: subscription.state.pause.resumes_at,
        does="resume at `resumes_at`, charging what is due",
        why=pausing.why,
    ),
    Row(
        "not to be charged again",
        lambda subscription: not subscription.terms.charging,
        Act.END_PERIOD,
        _period_ends_at,
        does="at the end of the paid period: cancel, pause, or end of the term",
        why=ending.why_it_waits,
    ),
    Row(
        "the charge is due, or stands parked",
        _is_due_or_parked,
        Act.LOOK_UP,
        lambda subscription, _now: look_up_at(subscription),
        does="look it up when it is reported, and at the next look-up deadline in any case",
        why=lambda subscription: (
            f"period {subscription.state.period.cycle}: until PortOne reports, or look up "
            f"{subscription.terms.local(look_up_at(subscription))}"
        ),
        hears=True,
    ),
    Row(
        "unpaid, and no attempt is planned",
        lambda subscription: subscription.state.waits_for_a_card,
        Act.LOOK_UP_OR_END,
        dunning.looks_or_ends_at,
        does="look it up when it is reported; at the end of the policy's time, take its end action",
        why=lambda subscription: (
            f"period {subscription.state.period.cycle} is unpaid: until another card, or a retry by hand"
        ),
        hears=True,
    ),
    Row(
        "charged by us on its day",
        dunning.charges_itself,
        Act.LOOK_UP_OR_CHARGE,
        lambda subscription, _now: dunning.charges_at(subscription),
        does="look it up first; on its day, send the same order number",
        why=lambda subscription: (
            f"until attempt {subscription.state.arrears.failed_attempts + 1} "
            f"of period {subscription.state.period.cycle}"
        ),
        hears=True,
    ),
    Row(
        "being registered",
        scheduling.is_under_way,
        Act.SCHEDULE,
        lambda subscription, _now: subscription.state.schedule.next_try_at or AT_ONCE,
        does="one try to register it, and one look at the row; later again, further apart each time",
        why=lambda subscription: f"registering {subscription.terms.merchant_uid} again, it does not stand at PortOne",
    ),
    Row(
        "costs nothing",
        _costs_nothing,
        Act.COST_NOTHING,
        _due_at,
        does="let it pass on its day",
        why=lambda subscription: f"until period {subscription.state.period.cycle} begins; it costs nothing",
    ),
    Row(
        "without a payment method",
        lambda subscription: not subscription.state.method.is_there,
        Act.END_WITHOUT_CARD,
        _due_at,
        does="on its day, pause or end, as the plan says",
        why=lambda subscription: (
            f"until a payment method is there, or {subscription.terms.local(subscription.state.period.due_at)}"
        ),
    ),
    Row(
        "consent is needed",
        consent_need.needs,
        Act.ASK_FOR_CONSENT,
        lambda subscription, _now: consenting.gate_at(subscription),
        does="ask the buyer 30 days before; without an answer by its day, end or hold the price",
        why=consenting.gate_why,
    ),
    Row(
        "to be registered",
        lambda _: True,
        Act.BEGIN_SCHEDULING,
        _can_be_scheduled_at,
        does="register it at PortOne, from the day on from which PortOne lists that far ahead",
        why=lambda subscription: f"until period {subscription.state.period.cycle} can be scheduled",
    ),
)
"""Where a period stands, from the strongest reason to the plainest: nothing reaches PortOne before the last line."""
