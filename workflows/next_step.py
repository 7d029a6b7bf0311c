"""What a subscription does next: one table of what is due beside the period, one of where the period stands.

What if the webhook never comes? The row "charge is due" has an instant: the next look-up deadline. When it is reached,
`settling.verify` looks the payment up whether or not anybody reported it: the timer, not the webhook, guarantees
progress. No row waits: the loop does (`workflows.subscription`), until the earliest instant of all of them.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from temporalio import workflow

from billing.domain import calls
from billing.domain.instants import AT_ONCE
from billing.domain.states import ENDED, BoundaryAction, CycleState, at_boundary
from billing.domain.subscription.records import Opening
from workflows import (
    consent_need,
    consenting,
    ending,
    following,
    old_keys,
    opening,
    pausing,
    refunding,
    reminders,
    resuming,
    scheduling,
    stopping,
    tidying,
    trials,
    unpaid,
)
from workflows.settling import STANDING, settle, verify
from workflows.subscription_run import SubscriptionRun
from workflows.turnover import settle_skipped

Instant = Callable[[SubscriptionRun], datetime | None]
Act = Callable[[SubscriptionRun], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Row:
    """Where it stands, what is done there, and when: at once, at an instant, or never by itself when that is None.

    `does` says it in words, for docs/reference/states.md, which is written from these tables.
    `hears` says that a report of the open order brings it on at once.
    """

    name: str
    applies: Callable[[SubscriptionRun], bool]
    act: Act
    at: Instant
    why: Callable[[SubscriptionRun], str]
    does: str
    hears: bool = False

    def due_at(self, run: SubscriptionRun) -> datetime | None:
        """When it acts: at once where what it hears has come."""
        heard = self.hears and is_reported(run)
        return AT_ONCE if heard else self.at(run)


@dataclass(frozen=True, slots=True)
class Step:
    """What is done now, or, without an act, until when the subscription waits and why.

    `at_once` says that it follows from what was just done, so that it comes before the next command; what an instant
    brings comes after it.
    """

    act: Act | None
    until: datetime | None = None
    why: str = ""
    at_once: bool = False


def next_step(run: SubscriptionRun) -> Step:
    """The first thing that is due; else the wait until the first that will be."""
    now = workflow.now()
    row = where_it_stands(run)
    if not run.may_ask:
        announces_at = reminders.next_at(run)
        if announces_at is not None and announces_at <= now:
            return Step(reminders.announce)
        return Step(None, _first(run.state.asks_again_at, announces_at), "PortOne does not answer; asking again")
    beside = [(at, each) for each in BESIDE if each.applies(run) and (at := each.due_at(run)) is not None]
    at = row.due_at(run)
    due = [(each_at, each) for each_at, each in (*beside, *([(at, row)] if at is not None else [])) if each_at <= now]
    if due:
        first = next((each for each_at, each in due if each_at == AT_ONCE), due[0][1])
        return Step(first.act, at_once=any(each_at == AT_ONCE for each_at, _ in due))
    return Step(None, _first(at, *(each for each, _ in beside)), row.why(run))


def where_it_stands(run: SubscriptionRun) -> Row:
    """The row of the table that the open period stands in."""
    return next(row for row in PERIOD if row.applies(run))


def is_reported(run: SubscriptionRun) -> bool:
    """Whether a notification of the open order waits to be looked into."""
    return any(bell.merchant_uid == run.merchant_uid for bell in run.state.bells)


def _first(*instants: datetime | None) -> datetime | None:
    return min((each for each in instants if each is not None), default=None)


# ---------------------------------------------------------------- what the rows do


async def _end_of_the_period(run: SubscriptionRun) -> None:
    """Nothing is charged at the end of this period; what happens there is the table's word (design section 3)."""
    state = run.state
    change = state.pending_change is not None
    match at_boundary(cancel=state.cancel_at_period_end, pause=state.pause_at_period_end, change=change):
        case BoundaryAction.CANCEL:
            await ending.cancel(run, state.cancel_reason or "canceled at period end")
        case BoundaryAction.PAUSE:
            await pausing.begin(run, "the period has ended")
        case BoundaryAction.CHANGE | BoundaryAction.RENEW:
            # Nothing follows that could change or renew: the last period of a fixed term was paid for.
            await ending.expire(run)


async def _look_at_the_charge(run: SubscriptionRun) -> None:
    by_deadline = workflow.now() >= _look_at(run)
    bells = [bell for bell in run.state.bells if bell.merchant_uid == run.merchant_uid]
    await settle(run, await verify(run, bells), by_deadline=by_deadline)
    run.state.bells = [bell for bell in run.state.bells if bell not in bells]
    await run.close_answered_bells()


async def _register(run: SubscriptionRun) -> None:
    if run.state.cycle_state is CycleState.REVOKED:
        await stopping.plan_again(run)
        return
    scheduling.begin(run)
    await scheduling.go_on(run)


async def _nothing(_run: SubscriptionRun) -> None:
    """Its instant only lets another row apply."""


# ---------------------------------------------------------------- when


def _now(_run: SubscriptionRun) -> datetime:
    return AT_ONCE


def _due_at(run: SubscriptionRun) -> datetime:
    return run.state.due_at


def _look_at(run: SubscriptionRun) -> datetime:
    return run.start.policy.deadlines.look_at(run.state.due_at, run.state.looks)


def _costs_nothing(run: SubscriptionRun) -> bool:
    """Whether the period is skipped; what a credit pays for in full still needs the consent that its price needs."""
    return run.bill().amount.amount == 0 and not consent_need.needs(run)


def _is_ended(run: SubscriptionRun) -> bool:
    return run.state.status in ENDED


BESIDE: tuple[Row, ...] = (
    Row(
        "an announcement is due",
        lambda run: reminders.next_at(run) is not None,
        reminders.announce,
        reminders.next_at,
        lambda _run: "",
        does="announce a renewal, the end of a trial or of the grace, on its day",
    ),
    Row(
        "a refund is under way",
        refunding.are_under_way,
        following.refunds,
        refunding.next_at,
        lambda _run: "",
        does="begin the next refund, or take the outcome of the one being made; then go on with what they are for",
    ),
    Row(
        "the window of an unanswered call is over",
        lambda run: bool(run.state.calls),
        tidying.read_again,
        lambda run: calls.next_end(run.state.calls),
        lambda _run: "",
        does="read again what the call was about, and take back what stands and should not",
    ),
    Row(
        "the schedule is in doubt",
        stopping.is_in_doubt,
        stopping.settle_the_doubt,
        lambda run: run.state.row_look_at,
        lambda _run: "",
        does="read the row again; where nothing is to be charged, revoke it again",
    ),
    Row(
        "the charge is to be planned anew",
        stopping.is_to_be_planned,
        stopping.plan_again,
        stopping.plans_again_at,
        lambda _run: "",
        does="schedule it again under its number, or give it another one, when no call about it is on its way",
    ),
    Row(
        "an old key is left",
        old_keys.are_left,
        old_keys.delete_what_is_left,
        _now,
        lambda _run: "",
        does="delete it, once a period, when nothing is scheduled on it",
    ),
    Row(
        "a question is void",
        consenting.is_void,
        consenting.forget,
        _now,
        lambda _run: "",
        does="take the question for consent back",
    ),
)
"""What is done beside the period, whatever that stands at."""

PERIOD: tuple[Row, ...] = (
    Row(
        "a charge of ours is open",
        lambda run: run.state.charge is not None,
        _nothing,
        lambda run: run.state.charge.attempt.at if run.state.charge is not None else None,
        lambda _run: "the outcome of the charge is unknown; looking again",
        does="send it, or look it up, at the instant its attempt names; its proven end goes to whoever wanted it",
    ),
    Row(
        "ended",
        _is_ended,
        tidying.go_on,
        tidying.next_at,
        lambda _run: "until nothing is on its way any more",
        does="ask what is left on the key, and find out what was open when it ended; then the run is over",
    ),
    Row(
        "opening",
        lambda run: run.state.opening is not Opening.OVER,
        opening.go_on,
        lambda run: run.state.opens_at or AT_ONCE,
        lambda _run: "the outcome of issuing the key is unknown",
        does="find or issue the key, see what stands on it, and begin the trial or the first charge",
    ),
    Row(
        "paused, consent is needed to go on",
        lambda run: run.state.paused_at is not None and consent_need.needs(run),
        consenting.gate,
        consenting.gate_at,
        consenting.gate_why,
        does="ask the buyer 30 days before it resumes; without an answer by then, end or hold the price",
    ),
    Row(
        "paused",
        lambda run: run.state.paused_at is not None,
        resuming.resume_by_itself,
        lambda run: run.state.resumes_at,
        pausing.why,
        does="resume at `resumes_at`, charging what is due",
    ),
    Row(
        "not to be charged again",
        lambda run: not run.charging,
        _end_of_the_period,
        lambda run: run.state.period_end or AT_ONCE,
        lambda run: f"until the last period ends, {run.local(run.state.period_end or workflow.now())}",
        does="at the end of the paid period: cancel, pause, or end of the term",
    ),
    Row(
        "the charge is due, or stands parked",
        lambda run: run.state.booked or (run.state.cycle_state in STANDING and run.state.parked_reason is not None),
        _look_at_the_charge,
        _look_at,
        lambda run: f"period {run.state.cycle}: until PortOne reports, or look at {run.local(_look_at(run))}",
        does="look it up when it is reported, and at the next look-up deadline in any case",
        hears=True,
    ),
    Row(
        "unpaid, and no attempt is planned",
        unpaid.stands,
        unpaid.look_or_end,
        unpaid.looks_or_ends_at,
        lambda run: f"period {run.state.cycle} is unpaid: until another card, or a retry by hand",
        does="look it up when it is reported; at the end of the policy's time, take its end action",
        hears=True,
    ),
    Row(
        "charged by us on its day",
        unpaid.charges_itself,
        unpaid.look_or_charge,
        unpaid.charges_at,
        lambda run: f"until attempt {run.state.failed_attempts + 1} of period {run.state.cycle}",
        does="look it up first; on its day, send the same order number",
        hears=True,
    ),
    Row(
        "being registered",
        scheduling.is_under_way,
        scheduling.go_on,
        lambda run: run.state.registers_at or AT_ONCE,
        lambda run: f"registering {run.merchant_uid} again, it does not stand at PortOne",
        does="one try to register it, and one look at the row; later again, further apart each time",
    ),
    Row(
        "costs nothing",
        _costs_nothing,
        settle_skipped,
        _due_at,
        lambda run: f"until period {run.state.cycle} begins; it costs nothing",
        does="skip it on its day",
    ),
    Row(
        "without a payment method",
        lambda run: not run.state.has_card,
        trials.end_without_a_card,
        _due_at,
        lambda run: f"until a payment method is there, or {run.local(run.state.due_at)}",
        does="on its day, pause or end, as the plan says",
    ),
    Row(
        "consent is needed",
        consent_need.needs,
        consenting.gate,
        consenting.gate_at,
        consenting.gate_why,
        does="ask the buyer 30 days before; without an answer by its day, end or hold the price",
    ),
    Row(
        "too far ahead to be registered",
        lambda run: not scheduling.within_horizon(run),
        _nothing,
        scheduling.opens_at,
        lambda run: f"until period {run.state.cycle} can be scheduled",
        does="nothing, until PortOne lists that far ahead",
    ),
    Row(
        "to be registered",
        lambda _run: True,
        _register,
        _now,
        lambda _run: "",
        does="register it at PortOne",
    ),
)
"""Where a period stands, from the strongest reason to the plainest: nothing reaches PortOne before the last line."""
