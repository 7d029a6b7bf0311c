"""A command meets the next charge: PortOne's schedule row is the arbiter of which of the two came first.

`unschedule` names the order number, then the payments and the row are read back: `revoked` means that the command won,
`executed` means that the charge won, and then it is proven what it came to (design section 3). Where PortOne does not
answer, or a call that was not answered may still let the schedule stand, the outcome is open, and that is what is told:
the schedule is read again, and taken back again where nothing is to be charged (`settle_the_doubt`). Nothing in here
waits.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError

from billing.domain import refusals
from billing.domain.events import EventType
from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.refusals import RefusedError
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription import consent_need, dunning, payloads, scheduling
from billing.domain.subscription.answers import ChargeAtOrder
from billing.domain.subscription.period_close import settle_paid
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Finding, Verdict, judge
from workflows import policies
from workflows.charge import attempts, portone
from workflows.charge.settling import settle, verify

IN_ARREARS = frozenset({SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID})

_OPEN = frozenset({Finding.PENDING, Finding.ABSENT})


@dataclass(frozen=True, slots=True)
class Stopped:
    """What became of the open charge: which of the two won, under which number, and what was paid.

    `unfinished` says that PortOne still has a payment of the number in progress: it is neither paid nor proven unpaid,
    so nothing else may be charged for the period.
    """

    charge: ChargeAtOrder
    merchant_uid: str
    payment: PaymentFact | None = None
    unfinished: bool = False

    @property
    def stands_in_the_way(self) -> bool:
        """Whether the charge ran, and the period is not paid by it as ordered."""
        return self.charge in (ChargeAtOrder.DECLINED, ChargeAtOrder.MISMATCH, ChargeAtOrder.UNKNOWN)


async def stop_the_charge(subscription: Subscription, recording: Recording, *, ending: bool = False) -> Stopped:
    """Stop the open charge if it still can be stopped; what ran instead is recorded before this returns.

    With `ending` a decline is only written down, since no retry will follow it, and an open outcome is an answer.

    Raises:
        RefusedError: `charge_unknown`, when nobody can prove which of the two won, and it does not end with it.
    """
    number, charge = subscription.terms.merchant_uid, subscription.state.in_flight.charge
    if charge is not None and charge.order.merchant_uid == number:
        return _stop_our_own(subscription, recording, workflow.now(), ending=ending)
    if charge is not None and not attempts.give_up(subscription):
        # A change is being charged: the schedule of the next period was taken back for it, and stands no more.
        if ending and subscription.state.period.state is CycleState.REVOKED:
            recording.close_order(CycleState.REVOKED, "it ends, and a change is being charged", workflow.now())
        return Stopped(ChargeAtOrder.UNKNOWN, charge.order.merchant_uid)
    stopped, found = Stopped(ChargeAtOrder.NONE_PLANNED, number), None
    if subscription.state.schedule.stands or subscription.state.in_flight.may_charge(number):
        stopped, found = await _revoke(subscription, recording, ending=ending)
    if stopped.charge not in (ChargeAtOrder.NONE_PLANNED, ChargeAtOrder.REVOKED):
        return stopped
    if found is None and (subscription.state.arrears.failed_attempts or subscription.state.period.sends):
        # Nothing is scheduled; but where something was sent, a late approval must not be left behind.
        found = await _look(subscription)
    return stopped if found is None else await _look_behind(subscription, recording, stopped, found)


def _stop_our_own(subscription: Subscription, recording: Recording, now: datetime, *, ending: bool) -> Stopped:
    """We charge the period ourselves: what has not left is not sent; what may have run is brought to its end."""
    if attempts.give_up(subscription):
        if ending and subscription.state.period.state is CycleState.VERIFYING:
            why = "it ends before the charge was made"
            subscription.state.period.move(CycleState.NOT_EXECUTED)
            recording.note_result(subscription.result(CycleState.NOT_EXECUTED, None, now, why))
        return Stopped(ChargeAtOrder.NONE_PLANNED, subscription.terms.merchant_uid)
    return _unknown(subscription, recording, now, "it was sent, and nobody knows yet what it came to")


async def _look(subscription: Subscription) -> Verdict:
    rows = await portone.find_payments(subscription.terms.merchant_uid)
    subscription.state.period.note_failures(rows)
    return judge(subscription.terms.expected(), rows, known_failures=subscription.state.period.known_failures)


async def _revoke(subscription: Subscription, recording: Recording, *, ending: bool) -> tuple[Stopped, Verdict | None]:
    """Take the schedule back; answers who won, and what payments the number had before the row was read."""
    number = subscription.terms.merchant_uid
    try:
        found, row = await _revoke_and_read(subscription, recording)
    except ActivityError:
        subscription.state.in_flight.asked_in_vain(workflow.now())
        return _open(subscription, recording, workflow.now(), ending=ending), None
    if row is not None and row.status == "executed":
        return await _record_the_winner(subscription, recording, ending=ending), None
    if row is not None and row.status != "revoked":
        return _open(subscription, recording, workflow.now(), ending=ending), None
    if subscription.state.in_flight.may_charge(number):
        # It is revoked, and a call of ours that was not answered may still let it stand again.
        return _open(subscription, recording, workflow.now(), ending=ending), None
    # A row that is gone will not run either.
    scheduling.is_revoked(subscription)
    return Stopped(ChargeAtOrder.REVOKED, number), found


async def _revoke_and_read(subscription: Subscription, recording: Recording) -> tuple[Verdict, ScheduleFact | None]:
    """Ask PortOne to revoke it, and read what it shows; asked again at once while it stands all the same."""
    number = subscription.terms.merchant_uid
    for last in (False, False, True):
        answered = await portone.unschedule(subscription, recording, subscription.terms.customer_uid, number)
        # Payments before the row: what runs or stands again in between, the row still shows.
        found = await _look(subscription)
        row = scheduling.without_lag(subscription, await portone.find_schedule(number), workflow.now())
        if row is None or row.status in ("revoked", "executed") or not answered or last:
            break
    return found, row


def _open(subscription: Subscription, recording: Recording, now: datetime, *, ending: bool) -> Stopped:
    """Nobody knows yet whether the charge was taken back: its row is read again soon."""
    state = subscription.state
    state.schedule.may_stand()
    if state.period.state is CycleState.REGISTERING:
        state.period.move(CycleState.REGISTERED)
    scheduling.look_again_later(subscription, now)
    if ending:
        return _unknown(subscription, recording, now, "nobody knows yet whether it was taken back")
    why = "nobody knows yet whether the next charge was taken back; nothing was changed"
    raise RefusedError(refusals.CHARGE_UNKNOWN, why)


async def _look_behind(subscription: Subscription, recording: Recording, stopped: Stopped, verdict: Verdict) -> Stopped:
    """Nothing will run any more; something may have: paid in the console, or an earlier attempt approved late."""
    state = subscription.state
    match verdict.finding:
        case Finding.PAID:
            settle_paid(subscription, recording, workflow.now(), verdict)
            return Stopped(ChargeAtOrder.PAID, stopped.merchant_uid, verdict.payment)
        case Finding.MISMATCH:
            await settle(subscription, recording, verdict)
            return Stopped(ChargeAtOrder.MISMATCH, stopped.merchant_uid, verdict.payment)
        case Finding.DECLINED:
            # Somebody tried it in the console in vain: no attempt of ours, so it is only written down.
            state.period.count_failures()
            recording.write(
                "a failed attempt of somebody else",
                workflow.now(),
                payments=verdict.rows,
            )
        case Finding.PENDING:
            state.cancel.meets_an_open_payment(subscription.terms.ordered())
            return replace(stopped, unfinished=True)
    return stopped


async def _record_the_winner(subscription: Subscription, recording: Recording, *, ending: bool) -> Stopped:
    """The charge ran first: prove what it came to and record it.

    Raises:
        RefusedError: `charge_unknown`, when nobody can prove it yet; but a command that ends the subscription goes
            on, and should the charge turn out to be paid, it is given back.
    """
    number = subscription.terms.merchant_uid
    verdict = await verify(subscription, recording)
    match verdict.finding:
        case Finding.PAID:
            settle_paid(subscription, recording, workflow.now(), verdict)
            return Stopped(ChargeAtOrder.PAID, number, verdict.payment)
        case Finding.DECLINED if ending:
            dunning.write_the_last_decline(subscription, recording, workflow.now(), verdict)
            return Stopped(ChargeAtOrder.DECLINED, number)
        case Finding.DECLINED:
            await settle(subscription, recording, verdict)
            return Stopped(ChargeAtOrder.DECLINED, number)
        case Finding.REVOKED:
            # Taken back in PortOne's console between two looks: the command has what it wanted.
            scheduling.is_revoked(subscription)
            return Stopped(ChargeAtOrder.REVOKED, number)
        case Finding.MISMATCH:
            await settle(subscription, recording, verdict)
            subscription.state.schedule.stands_no_more()
            return Stopped(ChargeAtOrder.MISMATCH, number, verdict.payment)
    subscription.state.schedule.look(workflow.now() + policies.SCHEDULE_MARGIN)
    if not ending:
        why = "the next charge ran, and nobody knows yet what it came to; nothing was changed"
        raise RefusedError(refusals.CHARGE_UNKNOWN, why)
    return _unknown(subscription, recording, workflow.now(), "it ran, and nobody knows yet what it came to")


def _unknown(subscription: Subscription, recording: Recording, now: datetime, reason: str) -> Stopped:
    """The outcome is open, and that is what is written and told; it is found out after the end."""
    state = subscription.state
    if state.period.state is not CycleState.UNKNOWN:
        state.period.move(CycleState.UNKNOWN)
        recording.note_result(subscription.result(CycleState.UNKNOWN, None, now, reason))
        told = payloads.charge(subscription, CycleState.UNKNOWN, None, reason)
        recording.emit(EventType.CHARGE_UNKNOWN, f"period {state.period.cycle}: {reason}", told, now)
    return Stopped(ChargeAtOrder.UNKNOWN, subscription.terms.merchant_uid)


# ---------------------------------------------------------------- a doubt that is read again


async def settle_the_doubt(subscription: Subscription, recording: Recording) -> None:
    """Read the schedule of the open period again; where nothing is to be charged, it is taken back again."""
    state, number = subscription.state, subscription.terms.merchant_uid
    # What was paid, and not as ordered, waits for a person: nothing more is charged under its number.
    parked = state.period.state is CycleState.MISMATCH
    charging = subscription.terms.charging and not parked
    row = scheduling.without_lag(subscription, await portone.find_schedule(number), workflow.now())
    if row is not None and row.status == "scheduled" and not charging:
        await portone.unschedule(subscription, recording, subscription.terms.customer_uid, number)
        row = scheduling.without_lag(subscription, await portone.find_schedule(number), workflow.now())
    state.schedule.look(None)
    if row is not None and row.status == "executed":
        await _settle_what_ran(subscription, recording)
    elif row is not None and row.status != "revoked":
        if charging:
            scheduling.stands_as_wanted(subscription, recording, workflow.now())
        else:
            scheduling.look_again_later(subscription, workflow.now())
    elif state.in_flight.may_charge(number):
        state.schedule.look(state.in_flight.last_end(number))
    elif parked:
        state.schedule.is_out_of_doubt()
        state.schedule.stands_no_more()
    else:
        scheduling.settle_the_revoke(subscription, recording, workflow.now())


async def _settle_what_ran(subscription: Subscription, recording: Recording) -> None:
    """The schedule has run: what it came to is proven and recorded, or looked for again."""
    verdict = await verify(subscription, recording)
    failed_before = verdict.finding is Finding.ABSENT and verdict.schedule is not None
    if failed_before and verdict.schedule is not None and verdict.schedule.payment_status == "failed":
        # It ran, was declined, and that is recorded already: what was to come after that does not stand.
        scheduling.settle_the_revoke(subscription, recording, workflow.now())
        return
    if verdict.finding in _OPEN:
        if subscription.terms.charging:
            # From here on the looks of a charge that is due find it.
            subscription.state.period.is_due_by(workflow.now())
        else:
            scheduling.look_again_later(subscription, workflow.now())
        return
    subscription.state.schedule.is_out_of_doubt()
    if verdict.finding is Finding.DECLINED and not subscription.terms.charging:
        dunning.write_the_last_decline(subscription, recording, workflow.now(), verdict)
    elif verdict.finding is Finding.PAID:
        settle_paid(subscription, recording, workflow.now(), verdict)
    else:
        await settle(subscription, recording, verdict)


# ---------------------------------------------------------------- planning anew what was stopped


async def plan_again(subscription: Subscription, recording: Recording) -> None:
    """Let the open cycle be charged again after it was stopped: under the same number where that still means the same.

    Another amount or another card needs another number; the old one was read back as revoked, or never left here.
    So does a charge that must wait, for the buyer's consent or until PortOne lists that far ahead: its revoked row
    cannot be booked again later under the same number by registering it.
    """
    state = subscription.state
    why = state.period.planned_again()
    if not subscription.terms.charging or state.in_flight.charge is not None or state.period.parked_reason is not None:
        return
    another = state.period.order != subscription.terms.would_open()
    if state.schedule.stands or scheduling.is_under_way(subscription):
        if not another:
            return
        try:
            stopped = await stop_the_charge(subscription, recording)
        except RefusedError:
            # The doubt is settled first; then it is planned anew.
            state.period.plan_again(why)
            return
        if stopped.stands_in_the_way or stopped.unfinished or not subscription.terms.charging or state.schedule.stands:
            return
        another = state.period.order != subscription.terms.would_open()
    revoked = state.period.state is CycleState.REVOKED or _declined_without_dunning(subscription)
    refused = state.period.state is CycleState.DUE
    if another or ((revoked or refused) and consent_need.needs(subscription)):
        scheduling.renumber(subscription, recording, workflow.now(), why)
    elif revoked:
        same = (
            subscription.terms.can_reschedule()
            and scheduling.within_horizon(subscription, workflow.now())
            and _may_run_again(subscription)
        )
        number, order = subscription.terms.merchant_uid, state.cancel.open_order
        # While a payment of it may still be approved no other number is charged: it stands again as soon as it can.
        may_be_paid = order is not None and order.merchant_uid == number
        if same and (may_be_paid or not state.in_flight.may_take_back(number)):
            recording.note_result(subscription.result(CycleState.PLANNED, None, workflow.now(), "planned again"))
            scheduling.begin(subscription, anew=True)
        else:
            scheduling.renumber(subscription, recording, workflow.now(), why)


def _declined_without_dunning(subscription: Subscription) -> bool:
    """Whether the number was declined as the last charge before an end that was then taken back."""
    return subscription.state.period.state is CycleState.DECLINED and subscription.state.status not in IN_ARREARS


def _may_run_again(subscription: Subscription) -> bool:
    return subscription.state.period.state is CycleState.REVOKED or subscription.terms.number_is_reusable()
