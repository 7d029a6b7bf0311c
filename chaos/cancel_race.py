"""Ten thousand orders that meet their charge, and whether what the caller was told agrees with PortOne's books.

`make cancel-race`. The decision code of the workflows runs against the real client, the real
emulator and the real ledger in this process (`chaos.in_process`); at random points between its calls the schedule
runs, its webhook rings, somebody acts in PortOne's console, and answers are lost. What was told is then held against
the books, after PortOne was left alone for two months:

- told `revoked` or `none_planned`: the period was not charged, and is not charged later;
- told `paid`: it was charged exactly once, by the payment that was named;
- told `declined`: every attempt failed, and none follows;
- told `mismatch`: the books hold something else than one right payment;
- told `unknown`, or to ask again: whatever was charged is recorded, or is on its way back, once nothing is in doubt.

What a person does in the console happens before the look that can see it. An act between the last look and the answer
no answer can know of: it is a foreign fact, and reconciliation finds it.

Exits 1 when one of them is not so, with the seed that shows it again.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.exceptions import ActivityError

from billing.domain.calendar import Anchor, Interval, IntervalUnit
from billing.domain.merchant_uid import new_incarnation
from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.domain.refusals import RefusedError
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription import ending, scheduling
from billing.domain.subscription.answers import CancelAnswered, ChargeAtOrder, OrderAnswered
from billing.domain.subscription.choices import When
from billing.domain.subscription.opening import Opening, OpeningStep
from billing.domain.subscription.paid import Paid
from billing.domain.subscription.period import Period
from billing.domain.subscription.periods import Periods
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.reports import PaymentReported
from billing.domain.subscription.start import StartSubscription
from billing.domain.subscription.state import SubscriptionState
from billing.domain.subscription.subscription import Subscription
from billing.emulator.cards import read_card
from billing.emulator.console import act_in_console
from billing.emulator.console_acts import ConsoleAct
from billing.emulator.envelope import Refusal
from billing.emulator.faults import Fault
from billing.emulator.keys import keep_key
from chaos.in_process import InProcess, World, a_world
from workflows.charge import registering
from workflows.subscription import loop
from workflows.subscription.commands import cancel, pause
from workflows.subscription.commands.cancel import CancelSubscription
from workflows.subscription.commands.pause import PauseSubscription
from workflows.subscription.desk import Desk
from workflows.subscription.ledger import record

PRICE = Money(9900)
TERMS = PlanTerms("월간 이용권", PRICE, Interval(IntervalUnit.MONTH))
CARD = {"card_number": "4518-4212-3456-7890", "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}
LOST = ("500_before", "429", "401", "drop_after", "500_after", "garbage")
CALLS = ("unschedule", "schedule_get", "findAll", "payments_get", "reschedule", "*")
PAUSES, RETRIES = 0.3, 0.25
"""How many of the orders are pauses, and how many of the charges were declined once before."""
MORE = 0.35
"""How likely it is that something (more) happens at a point between two calls."""
WORLD_LASTS = 500
"""Interleavings in one emulated account: its lists stay short, and so does every look-up."""
AFTERWARDS = timedelta(days=60)
_MOST_STEPS = 300


@dataclass(frozen=True, slots=True)
class Told:
    """What the caller was told of the charge."""

    charge: ChargeAtOrder
    imp_uid: str | None
    amount: int | None


@dataclass(slots=True)
class Interleaving:
    """One order against one charge; everything in it is drawn from its seed."""

    world: World
    seed: int
    draw: random.Random = field(init=False)
    uid: str = field(init=False)
    run: Subscription = field(init=False)
    recording: Recording = field(init=False)
    desk: Desk = field(default_factory=Desk)
    number: str = ""
    armed: bool = False
    looked: bool = False
    row_was_read: bool = False
    pausing: bool = False
    acts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.uid = f"race_{self.seed}"
        self.run = self._running()
        self.recording = Recording(self.run)

    async def live(self) -> str | None:
        """Run it; answers what does not agree, None when everything does."""
        runtime = InProcess(self.world, self.uid, self._between, self.seed)
        with runtime.running():
            await self._stand_at_portone()
            self.armed = True
            told = await self._order()
            self.armed = False
            self.acts.append(f"told {told.charge.value if told is not None else 'to ask again'}")
            if told is None or told.charge is ChargeAtOrder.UNKNOWN:
                return await self._disagreement_of_what_was_open()
        return await self._disagreement(told)

    # -------------------------------------------------------------- before

    def _running(self) -> Subscription:
        now = self.world.now(self.uid).replace(microsecond=0)
        start = StartSubscription(
            subscription_id=new_incarnation(self.draw.randbytes(16)), customer_uid=self.uid, plan=TERMS
        )
        due_at = now + timedelta(days=20)
        state = SubscriptionState(
            started_at=now - timedelta(days=10),
            status=SubscriptionStatus.ACTIVE,
            opening=Opening(step=OpeningStep.OVER),
            period=Period(cycle=2, due_at=due_at),
            periods=Periods(
                anchor=Anchor.at(due_at, TERMS.zone), first_cycle=2, start=now - timedelta(days=10), end=due_at
            ),
            paid=Paid(cycles=1, last_price=PRICE),
        )
        return Subscription(start, state)

    async def _stand_at_portone(self) -> None:
        """The next charge stands there; in one case of four it was declined once, and its retry stands there."""
        account, run = self.world.account, self.run
        card = read_card(CARD, account.world.clock.now(self.uid), sentence="")
        with account.world.store.writing():
            keep_key(account.world, self.uid, {**CARD, "pg": "nice"}, card)
        self.recording.write("begin", self.world.now(self.uid), intents=[run.intent()])
        scheduling.begin(run)
        assert (await registering.try_once(run, self.recording)).stands
        await record(self.recording)
        self.number = run.terms.merchant_uid
        if self.draw.random() < RETRIES:
            self._fault("decline", "schedule")
            await self._pass(run.state.period.due_at - self.world.now(self.uid) + timedelta(seconds=1))
            while run.state.status is not SubscriptionStatus.PAST_DUE:
                await self._step()
            while not run.state.schedule.stands:
                await self._step()
            account.faults.clear()
        left = run.state.period.due_at - self.world.now(self.uid)
        # Most orders come close to the charge: some before its second, some after it.
        await self._pass(left - timedelta(seconds=self.draw.choice((3600, 20, 5, 2, 1, 0, -1, -3, -400))))

    async def _step(self) -> None:
        """One step of the subscription; where it would wait, the time it waits for passes."""
        rest = await loop.take(self.run, self.recording, self.desk)
        await record(self.recording)
        if rest is not None and rest.until is not None:
            await self._pass(rest.until - self.world.now(self.uid))

    # -------------------------------------------------------------- the race

    async def _order(self) -> Told | None:
        """What was told; None where the command was refused, since PortOne did not answer or the outcome is open."""
        try:
            told = await self._told()
        except (RefusedError, ActivityError):
            told = None
        await record(self.recording)
        return told

    async def _told(self) -> Told:
        when = self.draw.choice((When.NOW, When.PERIOD_END))
        if self.run.state.status is SubscriptionStatus.ACTIVE and self.draw.random() < PAUSES:
            self.pausing = True
            paused = await pause.work(self.run, self.recording, PauseSubscription(at=When.NOW))
            return _told_by_pause(paused, self.run)
        answer = await cancel.work(self.run, self.recording, CancelSubscription(at=when))
        assert answer is not None
        return _told_by_cancel(answer)

    async def _between(self, where: str) -> None:
        """At any point between two calls, nothing, or something, or several things happen."""
        if not self.armed:
            return
        while self.draw.random() < MORE:
            happening = self.draw.choice(self._happenings(where))
            await happening()
            self.acts.append(f"{where}: {happening.__name__.strip('_')}")
        if where == "before find_schedule":
            self.row_was_read = True
        elif where == "before unschedule":
            self.row_was_read = self.looked = False
        elif where == "before find_payments":
            self.looked = True

    def _happenings(self, where: str) -> tuple[Callable[[], Awaitable[None]], ...]:
        always = (self._time_passes, self._an_answer_will_be_lost, self._a_webhook_rings)
        if where == "before find_payments":
            # Every look for payments, the last one too, sees these.
            return (*always, self._somebody_pays, self._somebody_retries)
        moves = (self._somebody_executes, self._somebody_revokes, self._somebody_moves, self._somebody_retries)
        if self.row_was_read:
            return always
        return (*always, *moves) if self.looked else (*always, *moves, self._somebody_pays)

    async def _time_passes(self) -> None:
        await self._pass(timedelta(seconds=self.draw.choice((0.2, 1, 3, 30, 4000))))

    async def _an_answer_will_be_lost(self) -> None:
        if self.draw.random() < 0.2:
            self._fault("decline", "*")
        else:
            self._fault(self.draw.choice(LOST), self.draw.choice(CALLS))

    async def _a_webhook_rings(self) -> None:
        """The webhooks that PortOne has queued so far ring, in any order, some of them twice."""
        ours = [body for body in self.world.sent if body["merchant_uid"].startswith(self.run.start.subscription_id)]
        if ours:
            self.run.state.reports.note(PaymentReported(**self.draw.choice(ours)))

    async def _somebody_executes(self) -> None:
        self._in_the_console(act="execute")

    async def _somebody_revokes(self) -> None:
        self._in_the_console(act="revoke")

    async def _somebody_moves(self) -> None:
        now = int(self.world.account.world.clock.now(self.uid))
        self._in_the_console(act="move", schedule_at=now + self.draw.choice((1, 5, 3600)))

    async def _somebody_pays(self) -> None:
        if self.draw.random() < 0.3:
            amount = self.draw.choice((9900, 9900, 5000))
            self._in_the_console(act="pay", customer_uid=self.uid, amount=amount)

    async def _somebody_retries(self) -> None:
        self._in_the_console(act="retry")

    def _in_the_console(self, **act: Any) -> None:
        account = self.world.account
        try:
            with account.world.store.writing():
                act_in_console(account.desk, ConsoleAct(merchant_uid=self.number, **act))
        except Refusal:
            self.acts.append("refused")

    def _fault(self, kind: str, path: str) -> None:
        account = self.world.account
        with account.world.store.writing():
            account.faults.add(Fault.model_validate({"kind": kind, "path": path, "count": 1}))

    async def _pass(self, distance: timedelta) -> None:
        await self.world.account.timeline.advance(max(0.0, distance.total_seconds()), self.uid)

    # -------------------------------------------------------------- after

    async def _disagreement(self, told: Told) -> str | None:
        world = self.world
        world.account.faults.clear()
        before = self._money()
        await self._pass(AFTERWARDS)
        after = self._money()
        booked = {row.merchant_uid: row for row in await world.ledger.list_charges(customer_uid=self.uid)}
        row = booked[self.number]
        goes_on = self.pausing and told.charge is ChargeAtOrder.DECLINED
        if before != after and not goes_on:
            return f"charged after the answer: {before} to {after}"
        if goes_on:
            # A pause that lost to a declined charge is refused: its retry stands, and runs.
            return f"told declined, books {before}" if before else None
        right = len(after) == 1 and after[0]["amount"] == PRICE.amount
        match told.charge:
            case ChargeAtOrder.REVOKED | ChargeAtOrder.NONE_PLANNED | ChargeAtOrder.DECLINED:
                wrong = bool(after) or row.state is CycleState.PAID
            case ChargeAtOrder.PAID:
                named = right and (told.imp_uid, told.amount) == (after[0]["imp_uid"], PRICE.amount)
                wrong = not named or (row.state, row.imp_uid) != (CycleState.PAID, told.imp_uid)
            case ChargeAtOrder.MISMATCH:
                wrong = right or row.state is not CycleState.MISMATCH
            case ChargeAtOrder.UNKNOWN:
                wrong = True
        return f"told {told}, books {after}, ledger {row.state} {row.imp_uid}" if wrong else None

    async def _disagreement_of_what_was_open(self) -> str | None:
        """The run goes on until nothing of it is in doubt: then every payment is recorded, or on its way back."""
        world, state = self.world, self.run.state
        world.account.faults.clear()
        for _ in range(_MOST_STEPS):
            open_yet = state.schedule.look_at is not None or state.in_flight.calls or state.in_flight.charge is not None
            if not (ending.is_tidying(self.run, world.now(self.uid)) if state.ended_at is not None else open_yet):
                break
            await self._step()
        else:
            return f"it does not come to rest: {state.in_flight.calls}, {state.schedule.look_at}"
        await self._pass(AFTERWARDS if state.ended_at is not None else timedelta(0))
        booked = {row.merchant_uid: row for row in await world.ledger.list_charges(customer_uid=self.uid)}
        paid = [row for row in self._money() if row["imp_uid"] not in world.handed_on]
        wrong = [row for row in paid if booked[row["merchant_uid"]].imp_uid != row["imp_uid"]]
        return f"held, and neither recorded nor handed on: {wrong}" if wrong else None

    def _money(self) -> list[dict[str, Any]]:
        rows = self.world.account.world.payments_by(self.uid)
        return [
            {"imp_uid": row["imp_uid"], "merchant_uid": row["merchant_uid"], "amount": row["amount"]}
            for row in rows
            if row["status"] == "paid"
        ]


def _told_by_cancel(answer: CancelAnswered) -> Told:
    return Told(answer.charge, answer.charged_imp_uid, answer.charged_amount.amount if answer.charged_amount else None)


def _told_by_pause(answer: OrderAnswered, run: Subscription) -> Told:
    paid = answer.charge is ChargeAtOrder.PAID
    return Told(
        answer.charge, run.state.paid.last_imp_uid if paid else None, answer.charged.amount if answer.charged else None
    )


@dataclass(slots=True)
class Outcome:
    """What all interleavings came to."""

    told: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[int, str, list[str]]] = field(default_factory=list)
    acts: int = 0
    calls: int = 0
    seconds: float = 0.0


async def race(count: int, seed: int, say: Callable[[str], None], folder: Path) -> Outcome:
    """Let `count` interleavings happen, those of the seeds `seed` and following; says how it goes."""
    outcome, begun = Outcome(), time.monotonic()
    for first in range(seed, seed + count, WORLD_LASTS):
        place = folder / str(first)
        place.mkdir()
        async with a_world(place) as world:
            for one in range(first, min(first + WORLD_LASTS, seed + count)):
                interleaving = Interleaving(world, one)
                wrong = await interleaving.live()
                outcome.told[interleaving.acts[-1].removeprefix("told ")] += 1
                outcome.acts += len(interleaving.acts) - 1
                if wrong is not None:
                    outcome.wrong.append((one, wrong, interleaving.acts))
        outcome.seconds = time.monotonic() - begun
        done = min(first + WORLD_LASTS, seed + count) - seed
        say(f"{done:>6} of {count}, {len(outcome.wrong)} wrong, {outcome.seconds:.0f} s")
    return outcome


def main(arguments: list[str] | None = None) -> int:
    """Run it from the command line; answers the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="how many interleavings (10000)")
    parser.add_argument("--seed", type=int, help="of the first one; drawn and shown otherwise")
    chosen = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(10**9) if chosen.seed is None else chosen.seed
    sys.stdout.write(f"{chosen.count} interleavings from seed {seed}\n")
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(race(chosen.count, seed, lambda line: print(line, flush=True), Path(folder)))  # noqa: T201
    told = ", ".join(f"{times} {charge}" for charge, times in sorted(outcome.told.items()))
    sys.stdout.write(f"told: {told}\n{outcome.acts} things happened in between; {outcome.seconds:.0f} s\n")
    for one, wrong, acts in outcome.wrong:
        sys.stdout.write(f"WRONG --seed {one} --count 1: {wrong}\n" + "".join(f"    {act}\n" for act in acts))
    sys.stdout.write(f"{len(outcome.wrong)} of {chosen.count} disagree with PortOne's books\n")
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
