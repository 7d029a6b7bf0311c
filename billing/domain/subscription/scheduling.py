"""Whether, and when, the open period is registered at PortOne; what is written when it stands, or will not."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from billing.domain.facts import ScheduleFact
from billing.domain.instants import AT_ONCE
from billing.domain.records import ChargeRegistered, ChargeResult
from billing.domain.states import CycleState
from billing.domain.subscription.in_flight import ask_again_at
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription


def opens_at(subscription: Subscription) -> datetime:
    """From when on the current cycle may be registered: PortOne lists schedules in three-month windows."""
    return subscription.state.period.due_at - timedelta(days=subscription.start.policy.schedule_horizon_days)


def within_horizon(subscription: Subscription, now: datetime) -> bool:
    """Whether the current cycle may be registered now."""
    return now >= opens_at(subscription)


def begin(subscription: Subscription, *, anew: bool = False) -> None:
    """Let the open period be registered from now on; `anew` lets a failed or revoked schedule stand again."""
    state = subscription.state
    state.period.move(CycleState.REGISTERING)
    state.schedule.begin(anew=anew)


def is_under_way(subscription: Subscription) -> bool:
    """Whether the open period is being registered and does not stand yet."""
    return subscription.state.period.state is CycleState.REGISTERING and not subscription.state.schedule.stands


def take_registered(subscription: Subscription, recording: Recording, schedule_at: datetime) -> ChargeRegistered | None:
    """What the call that registers the open period writes once PortOne has registered it for `schedule_at`.

    None where more is to be written then, as where it is to run on another day than was planned. Its revision is taken,
    whether it comes to be written or not: what is written later is newer.
    """
    state = subscription.state
    if recording.has_notes or recording.has_writes or state.schedule.reschedules or state.parked.of_cycle() is not None:
        return None
    if schedule_at != state.period.due_at:
        return None
    state.written()
    return ChargeRegistered(subscription.start.subscription_id, subscription.terms.merchant_uid, state.revision)


def tell_that_it_stands(subscription: Subscription, recording: Recording, now: datetime) -> None:
    """Write that the current cycle stands at PortOne, and for when, where no other write is about to say it."""
    state = subscription.state
    again = state.schedule.reschedules and not state.arrears.failed_attempts
    when = "again" if again else f"for {subscription.terms.local(state.period.due_at)}"
    recording.write(f"period {state.period.cycle} stands at PortOne {when}", now)


def charge_ourselves(
    subscription: Subscription,
    recording: Recording,
    now: datetime,
    refusal: str,
    *,
    results: Sequence[ChargeResult] = (),
) -> None:
    """PortOne would not book the attempt: that is no decline; on its day we charge it, under the same order number."""
    subscription.state.schedule.charge_ourselves()
    subscription.state.period.move(CycleState.DUE)
    if not subscription.state.arrears.failed_attempts:
        subscription.state.period.failed(refusal)
    recording.write("PortOne refused the schedule; charged by us when it is due", now, results=results)


def is_in_doubt(subscription: Subscription) -> bool:
    """Whether the schedule of the open period is to be read again, since a call about it was not answered."""
    state = subscription.state
    return state.schedule.look_at is not None and state.in_flight.charge is None and state.ended_at is None


def is_to_be_planned(subscription: Subscription) -> bool:
    """Whether the charge is to be planned anew: not while its schedule is in doubt, or a charge of ours is open."""
    state = subscription.state
    return state.period.plans_again is not None and state.in_flight.charge is None and state.schedule.look_at is None


def plans_again_at(subscription: Subscription) -> datetime:
    """When it may be planned anew: not while a call about its number may still let it be charged."""
    state = subscription.state
    if state.in_flight.may_charge(subscription.terms.merchant_uid):
        return state.in_flight.last_end(subscription.terms.merchant_uid) or AT_ONCE
    return AT_ONCE


def renumber(subscription: Subscription, recording: Recording, now: datetime, why: str) -> None:
    """Give the open cycle the next number; the caller has proven that the old one is unpaid and can never run."""
    if subscription.state.period.order is not None and not subscription.state.period.number_declined:
        recording.close_order(CycleState.SKIPPED, f"replaced: {why}", now)
    subscription.state.take_next_number()
    recording.write(
        f"period {subscription.state.period.cycle} is charged under another number: {why}",
        now,
        intents=[subscription.intent()],
    )


def without_lag(subscription: Subscription, row: ScheduleFact | None, now: datetime) -> ScheduleFact | None:
    """The row of the open order as it is: PortOne's answer that it has revoked it is newer than a look that lags."""
    revoked_at, quiet = subscription.state.schedule.revoked_at, subscription.start.policy.quiet
    if row is None or row.status != "scheduled" or revoked_at is None:
        return row
    return row if quiet.counts(revoked_at, now) else replace(row, status="revoked")


def is_revoked(subscription: Subscription) -> None:
    """Its schedule was read back as revoked."""
    state = subscription.state
    state.schedule.is_revoked()
    if state.period.state is not CycleState.PLANNED:
        state.period.move(CycleState.REVOKED)


def stands_as_wanted(subscription: Subscription, recording: Recording, now: datetime) -> None:
    """It was in doubt, and stands, as it should."""
    state = subscription.state
    if state.schedule.stands or state.period.state is CycleState.REGISTERED:
        state.schedule.stands_after_all()
    if state.period.state is CycleState.UNKNOWN and state.period.parked_reason is None:
        # A cancel had met it in doubt, and was taken back.
        state.period.move(CycleState.DUE)
        recording.note_result(subscription.result(CycleState.PLANNED, None, now, "it stands after all"))
        recording.write(f"period {state.period.cycle} stands at PortOne after all", now)


def look_again_later(subscription: Subscription, now: datetime) -> None:
    """Nobody knows yet what became of its schedule: the row is read again, further apart each time."""
    schedule = subscription.state.schedule
    schedule.look_again(ask_again_at(now, schedule.doubts))


def settle_the_revoke(subscription: Subscription, recording: Recording, now: datetime) -> None:
    """It stands no longer, and nothing can let it stand again: what was told as open is known now."""
    state = subscription.state
    state.schedule.is_out_of_doubt()
    if not state.schedule.stands:
        return
    is_revoked(subscription)
    if subscription.terms.charging:
        state.period.plan_again("its schedule had been taken back")
        return
    recording.close_order(CycleState.REVOKED, state.cancel.reason or state.end_reason or "taken back", now)
    recording.write("the charge was taken back", now)
