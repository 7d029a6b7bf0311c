"""One period, from planned to paid, declined, or a named state that says why not.

What if the webhook never comes? The wait in `_wait_for_the_charge` ends at the next rung of the deadline ladder
whether or not anybody rang, and `settling.verify` looks the payment up either way: the timer, not the webhook,
guarantees progress.
"""

from collections.abc import Awaitable, Callable

from temporalio import workflow

from billing.domain.states import BoundaryAction, at_boundary
from workflows import booking, consent_need, consenting, dunning, ending, foreign, old_keys, pausing, reminders, trials
from workflows.bells import answer_stale_bells
from workflows.settling import STANDING, settle, verify
from workflows.subscription_run import SubscriptionRun
from workflows.turnover import settle_skipped


async def step(run: SubscriptionRun) -> None:
    """Do the next thing of the current period, the first that applies: wait, register, look, settle; then return."""
    if await reminders.announce_what_is_due(run):
        return
    do = next(do for applies, do in _STEPS if applies(run))
    if not await foreign.attend(run, listening=do in _LISTENING):
        await do(run)


async def _wait_for_the_end(run: SubscriptionRun) -> None:
    """Nothing is charged at the end of this period; what happens there is the table's word (design section 3)."""
    state = run.state
    ends_at = state.period_end or workflow.now()
    await run.hear(ends_at, f"until the last period ends, {run.local(ends_at)}")
    await answer_stale_bells(run)
    if workflow.now() < ends_at or run.orders:
        return
    change = state.pending_change is not None
    match at_boundary(cancel=state.cancel_at_period_end, pause=state.pause_at_period_end, change=change):
        case BoundaryAction.CANCEL:
            await ending.cancel(run, state.cancel_reason or "canceled at period end")
        case BoundaryAction.PAUSE:
            await pausing.begin(run, "the period has ended")
        case BoundaryAction.CHANGE | BoundaryAction.RENEW:
            # Nothing follows that could change or renew: the last period of a fixed term was paid for.
            await ending.expire(run)


async def _wait_and_skip(run: SubscriptionRun) -> None:
    """A period that costs nothing is skipped without a call, on its day."""
    due_at = run.state.due_at
    await run.hear(due_at, f"until period {run.state.cycle} begins; it costs nothing")
    await answer_stale_bells(run)
    if workflow.now() >= due_at and not run.orders:
        await settle_skipped(run)


async def _wait_for_the_charge(run: SubscriptionRun) -> None:
    look_at = run.start.policy.deadlines.look_at(run.state.due_at, run.state.looks)
    await run.hear(look_at, f"period {run.state.cycle}: until PortOne rings, or look at {run.local(look_at)}")
    if run.orders:
        return
    bells = run.take_bells()
    ours = [bell for bell in bells if bell.merchant_uid == run.merchant_uid]
    await answer_stale_bells(run, [bell for bell in bells if bell.merchant_uid != run.merchant_uid])
    by_deadline = workflow.now() >= look_at
    if ours or by_deadline:
        await settle(run, await verify(run, ours), by_deadline=by_deadline)
        await run.close_answered_bells()


async def _charge_ourselves(run: SubscriptionRun) -> None:
    found = await dunning.wait_and_charge(run)
    if found is not None:
        await settle(run, found)


async def _wait_for_another_card(run: SubscriptionRun) -> None:
    found = await dunning.wait_for_another_card(run)
    if found is not None:
        await settle(run, found)


async def _wait_for_the_horizon(run: SubscriptionRun) -> None:
    await run.hear(booking.opens_at(run), f"until period {run.state.cycle} can be scheduled")
    await answer_stale_bells(run)


async def _register(run: SubscriptionRun) -> None:
    refusal = await booking.register(run)
    if refusal is not None:
        await booking.charge_ourselves(run, refusal)
    else:
        await booking.tell_that_it_stands(run)


def _costs_nothing(run: SubscriptionRun) -> bool:
    """Whether the period is skipped; what a credit pays for in full still needs the consent that its price needs."""
    return run.bill().amount.amount == 0 and not consent_need.needs(run)


_STEPS: tuple[tuple[Callable[[SubscriptionRun], bool], Callable[[SubscriptionRun], Awaitable[None]]], ...] = (
    (old_keys.are_left, old_keys.delete_what_is_left),
    (consenting.is_void, consenting.forget),
    (lambda run: run.state.paused_at is not None, pausing.wait),
    (lambda run: not run.charging, _wait_for_the_end),
    (lambda run: run.state.booked or run.state.cycle_state in STANDING, _wait_for_the_charge),
    (dunning.stands, _wait_for_another_card),
    (dunning.charges_itself, _charge_ourselves),
    (_costs_nothing, _wait_and_skip),
    (lambda run: not run.state.has_card, trials.wait_for_a_card),
    (consent_need.needs, consenting.gate),
    (lambda run: not booking.within_horizon(run), _wait_for_the_horizon),
    (lambda _run: True, _register),
)
"""What a period does, from the strongest reason to the plainest: nothing reaches PortOne before the last line."""

_LISTENING = frozenset({_wait_for_the_charge, _charge_ourselves, _wait_for_another_card})
"""Steps that wait for bells of the open order themselves; all others leave every bell to `foreign.attend`."""
