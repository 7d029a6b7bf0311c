"""A start on a key that something else charges: refused, or what stands there is taken back or taken over.

Nothing is charged before it is known what stands on the key. What if the run dies on the way? Every step is a look-up,
or a taking back that does nothing the second time; nothing is ours before the one write that says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from temporalio import workflow

from billing.domain import takeover
from billing.domain.calendar import Anchor, before_the_first
from billing.domain.facts import BillingKeyFact, ScheduleFact
from billing.domain.money import Money
from billing.domain.pg_capabilities import capability
from billing.domain.pg_capability import ChargesAtIssue
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from billing.domain.takeover import REFUSALS, KeyPayment, Standing, TakeOverRefusal, Terms, Way
from billing.domain.verdict import Finding, Verdict
from workflows import policies
from workflows.billing_key import key_look
from workflows.billing_key.contracts import KeyPaymentsAsked
from workflows.subscription import left_on_key

_ROUNDS = 3
"""An old loop that registers anew what was taken back is told of after so many rounds."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is on a key: open schedules, payments whose period still runs, whether one at issue is missing.

    All of it is foreign but `left`, schedules of an earlier life of ours.
    """

    schedules: Sequence[ScheduleFact] = ()
    left: Sequence[ScheduleFact] = ()
    payments: Sequence[KeyPayment] = ()
    not_shown: bool = False

    def charged_at_issue(self) -> str:
        """What the PG took when it issued the key, for a refusal of another reason; empty where it took nothing."""
        took = [takeover.of_payment(each.payment) for each in self.payments if each.usage == takeover.AT_ISSUE]
        return takeover.in_words("; the key was charged when it was issued", took) if took else ""


@dataclass(frozen=True, slots=True)
class Taken:
    """How a start goes on: refused with a code, its first period paid, its first charge taken over, or as any other."""

    refusal: TakeOverRefusal | None = None
    paid: Verdict | None = None
    follows: ScheduleFact | None = None
    standing: tuple[Standing, ...] = field(default=())

    @property
    def reason(self) -> str:
        """Why it is refused, with all that stands there."""
        return takeover.in_words(REFUSALS[self.refusal], self.standing) if self.refusal is not None else ""


async def look(subscription: Subscription, key: BillingKeyFact) -> Found | None:
    """Ask what stands on the key; payments matter only where the first period would be charged now.

    None where the charge that the PG makes at the issue of the key is not listed yet: it is asked again soon.
    """
    pg = capability(key.pg_provider or "")
    always = pg is not None and pg.charges_at_issue is ChargesAtIssue.ALWAYS
    found, any_at_all = await _ask(subscription)
    if any_at_all or not always:
        return found
    state, ladder = subscription.state, policies.CHARGE_AT_ISSUE_AGAIN_AFTER
    if state.opening.tries >= len(ladder):
        return replace(found, not_shown=True)
    state.opening.try_again(workflow.now() + ladder[state.opening.tries])
    return None


async def take(subscription: Subscription, recording: Recording, found: Found) -> Taken:
    """Do with what was found as the caller said; nothing of ours is charged or scheduled yet."""
    standing = _told(found.schedules, found.payments)
    if found.not_shown:
        return Taken(TakeOverRefusal.NOT_SHOWN)
    ours = await left_on_key.take_ours_back(subscription, recording, found.left)
    if ours:
        return Taken(TakeOverRefusal.NOT_REVOKED, standing=tuple(key_look.told(back) for back in ours))
    for _ in range(_ROUNDS):
        way = takeover.choose(_terms(subscription), found.schedules, found.payments)
        if way.refusal is not None:
            return Taken(way.refusal, standing=standing)
        if not way.revoke:
            return await _go_on(subscription, way, standing)
        taken = await _take_back(subscription, recording, way)
        if taken is not None:
            return taken
        # What was taken back may have been registered anew meanwhile, and another one may have run.
        found, _ = await _ask(subscription)
        standing = _told(found.schedules, found.payments)
    return Taken(TakeOverRefusal.NOT_REVOKED, standing=standing)


async def _take_back(subscription: Subscription, recording: Recording, way: Way) -> Taken | None:
    """Take each back; None when all of them are, else how the start goes on."""
    said: list[Standing] = []
    ran: list[key_look.TakenBack] = []
    refusal = None
    for back in await key_look.take_all_back(
        way.revoke, left_on_key.revoking(subscription, recording), subscription.terms.bill().amount
    ):
        said.append(key_look.told(back))
        if back.row.status == "executed":
            ran.append(back)
        elif not back.revoked:
            refusal = TakeOverRefusal.NOT_REVOKED
    took = [back for back in ran if back.verdict is None or back.verdict.finding is not Finding.DECLINED]
    if refusal is None and took:
        refusal = TakeOverRefusal.RAN_MEANWHILE
        only = took[0].verdict if len(took) == 1 else None
        alone = _charges_now(subscription) and way.pays is None and way.follows is None
        if alone and only is not None and only.finding is Finding.PAID:
            # It won against the taking back, and is what the period costs: the buyer has paid, once.
            return Taken(paid=only, standing=tuple(said))
    return Taken(refusal, standing=tuple(said)) if refusal is not None else None


async def _go_on(subscription: Subscription, way: Way, standing: tuple[Standing, ...]) -> Taken:
    """Nothing foreign is left but what is taken over: proven once more, since a list may be old."""
    bill = subscription.terms.bill().amount
    if way.pays is not None:
        return _paid(await key_look.proven(way.pays, bill, subscription.terms.customer_uid), standing)
    if way.follows is None:
        return Taken()
    row = await key_look.find_row(way.follows.merchant_uid)
    if (
        row is not None
        and row.status == "scheduled"
        and (row.amount, row.customer_uid) == (bill, subscription.terms.customer_uid)
    ):
        return Taken(follows=row)
    if row is not None and row.status == "executed":
        return _paid(await key_look.what_it_came_to(row, bill), (takeover.of_schedule(row),))
    return Taken(TakeOverRefusal.NOTHING_FITS, standing=() if row is None else (takeover.of_schedule(row),))


def _paid(verdict: Verdict, standing: tuple[Standing, ...]) -> Taken:
    if verdict.finding is Finding.PAID:
        return Taken(paid=verdict)
    told = (takeover.of_payment(verdict.payment),) if verdict.payment is not None else standing
    return Taken(TakeOverRefusal.RAN_MEANWHILE if verdict.payment is None else TakeOverRefusal.CHARGED, standing=told)


async def _ask(subscription: Subscription) -> tuple[Found, bool]:
    """What is foreign on the key now; and whether it was ever charged, where that matters."""
    life = key_look.Life(subscription.start.subscription_id, subscription.start.customer_uid)
    on_key = await key_look.scheduled_on(subscription.terms.customer_uid, policies.ASK, life)
    if not _charges_now(subscription):
        return Found(on_key.open, on_key.left), True
    interval, zone, now = subscription.terms.plan.interval, subscription.terms.plan.zone, workflow.now()
    # Some days more than a period, since months differ: what is too old is told by `covers`.
    since = before_the_first(Anchor.at(now, zone), interval) - timedelta(days=4)
    asked = KeyPaymentsAsked(customer_uid=subscription.terms.customer_uid, since=since)
    payments, any_at_all = await key_look.foreign_payments(asked, on_key.foreign)
    recent = [each for each in payments if takeover.covers(each.payment, interval, zone, now)]
    return Found(on_key.open, on_key.left, recent), any_at_all


def _charges_now(subscription: Subscription) -> bool:
    return subscription.start.paid_until is None and subscription.state.periods.trial_ends_at is None


def _terms(subscription: Subscription) -> Terms:
    bill, plan = subscription.terms.bill().amount, subscription.terms.plan
    undiscounted = Money(plan.price.amount * subscription.state.items.quantity, plan.price.currency)
    prices = frozenset((bill, subscription.terms.holding().value(), undiscounted))
    return Terms(
        subscription.start.take_over, bill, prices, subscription.terms.customer_uid, _charges_now(subscription)
    )


def _told(schedules: Sequence[ScheduleFact], payments: Sequence[KeyPayment]) -> tuple[Standing, ...]:
    return (
        *(takeover.of_payment(each.payment) for each in payments),
        *(takeover.of_schedule(row) for row in schedules),
    )
