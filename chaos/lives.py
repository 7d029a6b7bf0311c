"""One subscriber's life, drawn from a seed: a start, months that pass, commands in between, mishaps in pairs."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from chaos.books import ToldOfCharge
from chaos.expected import ExpectedLife
from chaos.faults import STEPS, Pair, Struck, fired, mishap_of, strike
from chaos.journal import Call
from chaos.world import GOOD, World, card

_KOREA = ZoneInfo("Asia/Seoul")


@dataclass(slots=True)
class Subscriber:
    """Who lives, and what ought to come of it: everything random in it is drawn from `draw`."""

    world: World
    uid: str
    draw: random.Random
    pairs: tuple[Pair, ...]
    price: int
    lives: list[ExpectedLife] = field(default_factory=list)
    told: list[ToldOfCharge] = field(default_factory=list)
    left_keys: dict[str, list[tuple[str, datetime]]] = field(default_factory=dict)
    by_hand: set[str] = field(default_factory=set)
    covered: list[Pair] = field(default_factory=list)
    missed: list[Pair] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)
    """The mishaps that met a call of their step."""
    acts: list[tuple[datetime, str]] = field(default_factory=list)
    refunded: bool = False
    beyond: bool = False
    hasty: bool = False
    """What comes next comes at once, while a call may still be on its way."""
    stuck: str | None = None

    @property
    def life(self) -> ExpectedLife | None:
        """The life that goes on, as far as its caller knows."""
        return self.lives[-1] if self.lives else None

    # -------------------------------------------------------------- living

    async def live(self) -> None:
        """Every step in its order; those of a pair with its two mishaps."""
        by_step = {pair.step: pair for pair in self.pairs}
        steps: dict[str, Callable[[], Awaitable[None]]] = {
            "issue": self._start,
            "start": self._start,
            "schedule": self._period,
            "due": self._period,
            "dunning": self._dunning,
            "card change": self._card_change,
            "refund": self._refund,
            "cancel": self._stop,
        }
        self.hasty = self.draw.random() < 0.5
        last = max((list(STEPS).index(pair.step) for pair in self.pairs), default=len(STEPS))
        begins = "issue" if "issue" in by_step else "start"
        for step in STEPS:
            pair = by_step.get(step)
            if step in ("issue", "start") and step != begins:
                continue
            if pair is None and step not in ("issue", "start", "due") and self.draw.random() < 0.5:
                continue
            await self._step(step, pair, steps[step])
            if self.life is None:
                return
            if self.hasty and list(STEPS).index(step) == last and step != "cancel":
                await self._step("cancel", None, self._stop)
                return

    async def _step(self, step: str, pair: Pair | None, does: Callable[[], Awaitable[None]]) -> None:
        numbers: list[Struck] = []
        if pair is not None:
            number = await self._number()
            for name in (pair.first, pair.second):
                self.beyond |= mishap_of(name).is_beyond
                await self._note(f"{step}: {name}")
                before = len(self.world.journal.calls)
                numbers.append(await strike(self.world, step, name, self.uid, number))
                self._heed([call for call in self.world.journal.calls[before:] if call.customer_uid == self.uid])
            await self._perhaps_begin_again()
        else:
            await self._note(step)
        await does()
        if pair is not None:
            struck = await fired(self.world, numbers)
            (self.covered if all(struck) else self.missed).append(pair)
            self.struck += [name for name, did in zip(pair[1:], struck, strict=True) if did]

    async def _number(self) -> str | None:
        """An order number on which a person may act: as a rule the one that stands, now and then an older one."""
        standing = await self.world.standing_of(self.uid)
        every = [row["merchant_uid"] for row in await self.world.charges(self.uid)]
        if every and (not standing or self.draw.random() < 0.3):
            return str(self.draw.choice(every))
        return standing[0] if standing else None

    async def _start(self) -> None:
        kinds = {"issue": ("card", "trial"), "start": ("card", "key"), "": ("card", "key", "trial", "trial")}
        troubled = next((pair.step for pair in self.pairs if pair.step in kinds), "")
        kind = self.draw.choice(kinds[troubled])
        plan = {"name": "월간 이용권", "amount": self.price, "interval": "month"}
        more: dict[str, Any] = {"plan": plan}
        if kind == "trial":
            more["plan"] = {**plan, "trial_days": self.draw.randint(1, 40)}
        if kind == "key":
            await self.world.put_card(self.uid)
            more["payment_method"] = {"billing_key": True}
        body = self.world.start_body(self.uid, **more)
        if self.hasty and troubled:
            first = await self.world.call(self.uid, "POST", "/v1/subscriptions", body)
            if first.status == 202:
                await self._cancel_an_open_start(first)
                return
            call = first
        else:
            call = await self._asked("POST", "/v1/subscriptions", body)
        if call.status == 402:
            # The card is refused: the buyer takes another one, at once.
            call = await self._asked("POST", "/v1/subscriptions", self.world.start_body(self.uid, plan=more["plan"]))
        await self._begin(call)

    async def _cancel_an_open_start(self, start: Call) -> None:
        """Whose start is still open changes their mind."""
        life = ExpectedLife(start.answer["subscription_id"], self.price)
        life.begins(start.at)
        life.doubt(start.at)
        self.lives.append(life)
        await self._cancel_now()

    async def _perhaps_begin_again(self) -> None:
        """Whose run was ended from outside starts once more, with the key that is there.

        A new run begins by the real clock: where PortOne's has been moved for this customer, time would go back.
        """
        moved = await self.world.now(self.uid) - datetime.now(UTC) > timedelta(minutes=1)
        if moved or self.life is None or self.life.terminated_at is None or self.draw.random() < 0.3:
            return
        plan = {"name": "월간 이용권", "amount": self.price, "interval": "month"}
        body = self.world.start_body(self.uid, plan=plan, payment_method={"billing_key": True})
        before = self.life
        await self._begin(await self._asked("POST", "/v1/subscriptions", body))
        if before is not self.life:
            # Whose next life has begun has none before it any more.
            before.ends_at = await self.world.now(self.uid)

    async def _begin(self, call: Call) -> None:
        if call.status not in (200, 201):
            return
        shown = call.answer
        life = ExpectedLife(shown["subscription_id"], self.price)
        trial_end = shown["trial_end"] or shown["current_period_start"]
        if trial_end is None:
            trial_end = call.at.isoformat()
            life.doubt(call.at)
        life.begins(datetime.fromisoformat(trial_end))
        self.lives.append(life)

    async def _period(self) -> None:
        """A month goes by: to some minutes, hours or a day after the next instant at which something is due."""
        if self.life is None:
            return
        now = await self.world.now(self.uid)
        due = self.life.next_due(now)
        minutes = self.draw.choice((1, 4) if self.hasty else (1, 20, 60, 300, 1800))
        await self.world.advance(self.uid, seconds=(due - now).total_seconds() + 60 * minutes)

    async def _dunning(self) -> None:
        """The next charge is declined once or twice; perhaps it is retried by hand."""
        await self.world.fault(
            "decline", path="schedule", count=self.draw.choice((1, 1, 2)), customer_uid=f"{self.uid}*"
        )
        await self._period()
        if self.hasty:
            return
        await self.world.advance(self.uid, days=1, hours=1)
        if self.draw.random() < 0.5:
            await self._command("retry")
        await self.world.advance(self.uid, days=3, hours=2)

    async def _card_change(self) -> None:
        if self.life is None:
            return
        shown = await self.world.subscription(self.uid)
        key = f"{self.uid}.{len(self.left_keys.get(self.life.life, [])) + 1}"
        await self.world.keeps_time_with(key, self.uid)
        call = await self._command("payment-method", payment_method={"card": card(GOOD)}, customer_uid=key)
        if call.status == 200 and shown:
            old, new = shown["payment_method"]["customer_uid"], call.answer["payment_method"]["customer_uid"]
            if old != new:
                done = await self.world.now(self.uid)
                self.left_keys.setdefault(self.life.life, []).append((old, done))
        await self._period()

    async def _refund(self) -> None:
        """The newest paid period is refunded, in part or whole."""
        paid = [row for row in await self.world.charges(self.uid) if row["state"] == "paid" and row["amount"]]
        if paid:
            body = {"amount": paid[-1]["amount"] // 3} if self.draw.random() < 0.5 else {}
            number = paid[-1]["merchant_uid"]
            self.refunded = True
            await self._asked("POST", f"/v1/payments/{number}/refunds", body)
        await self.world.advance(self.uid, hours=3)

    async def _stop(self) -> None:
        """A cancel now, at period end, one that is undone; or a pause with a resume; or a change of the price."""
        does = self.draw.choice(
            (self._cancel_now, self._cancel_at_end, self._cancel_and_undo, self._pause, self._change)
        )
        await does()

    async def _cancel_now(self) -> None:
        call = await self._command("cancel", at="now")
        await self._heard_of_charge(call)
        if self.life is not None:
            if call.status == 200:
                self.life.ends_at = call.at
            elif call.status != 409:
                self.life.doubt(call.at)
        await self.world.advance(self.uid, hours=2)

    async def _cancel_at_end(self) -> None:
        call = await self._command("cancel")
        await self._heard_of_charge(call)
        if self.life is not None:
            if call.status == 200:
                self.life.ends_at = datetime.fromisoformat(call.answer["ends_at"]) - timedelta(seconds=1)
            elif call.status != 409:
                self.life.doubt(call.at)

    async def _cancel_and_undo(self) -> None:
        await self._cancel_at_end()
        if minutes := self.draw.choice((0, 0, 1, 4, 30)):
            await self.world.advance(self.uid, minutes=minutes)
        undo = await self._command("undo-cancel")
        if self.life is not None and undo.status == 200:
            self.life.ends_at = None
            self._void(undo.at)
        elif self.life is not None and undo.status != 409:
            self.life.doubt(undo.at)
        await self._period()

    async def _pause(self) -> None:
        pause = await self._command("pause", at="now")
        if self.life is None:
            return
        await self._heard_of_charge(pause)
        if pause.status != 200:
            if pause.status != 409:
                self.life.doubt(pause.at)
            return
        self.life.paused_at = pause.at
        await self.world.advance(self.uid, days=self.draw.choice((2, 11, 40)))
        asked_at, left = await self.world.now(self.uid), await self._left_of_a_refund(pause.at)
        resume = await self._command("resume")
        # It may charge at once, also where it is answered later, and PortOne's books know whole seconds.
        self._void(asked_at.replace(microsecond=0))
        if resume.status == 200 and resume.answer["current_period_end"]:
            begun = datetime.fromisoformat(resume.answer["current_period_start"])
            ends = datetime.fromisoformat(resume.answer["current_period_end"])
            self.life.resumes(_following(resume.answer), begun, ends)
            if left and begun >= asked_at.replace(microsecond=0):
                # Of a period that was refunded in part, what is still paid counts toward the one that begins now.
                self.life.credits[_following(resume.answer) - 1] = left
        elif resume.status != 409:
            self.life.doubt(pause.at)
        await self._period()

    async def _left_of_a_refund(self, paused_at: datetime) -> int:
        """What is still paid of the days that were left at a pause, where a part of their period went back."""
        paid = [row for row in await self.world.charges(self.uid) if row["state"] == "paid" and row["amount"]]
        if not paid:
            return 0
        price, shown = paid[-1]["amount"], await self.world.subscription(self.uid)
        refunded = price - await self.world.held(paid[-1]["customer_uid"], paid[-1]["merchant_uid"])
        begun, ends = (_day(shown[name]) for name in ("current_period_start", "current_period_end"))
        used = price * (_day(paused_at.isoformat()) - begun).days // (ends - begun).days
        return max(0, price - used - refunded) if refunded else 0

    async def _change(self) -> None:
        price = self.price + 1000
        plan = {"name": "월간 이용권", "amount": price, "interval": "month"}
        call = await self._command("change-plan", plan=plan, at="period_end")
        if self.life is not None:
            if call.status == 200:
                self.life.costs(price, call.at)
                self._void(call.at)
            elif call.status not in (409, 422):
                self.life.doubt(call.at)
        await self._period()

    # -------------------------------------------------------------- what was told

    async def _command(self, name: str, **body: object) -> Call:
        return await self._asked("POST", f"/v1/subscriptions/{self.uid}/{name}", body or None)

    async def _asked(self, method: str, path: str, body: object) -> Call:
        """Ask, and once more later where the outcome is open."""
        return await self.world.settled(self.uid, method, path, body)

    async def _heard_of_charge(self, call: Call) -> None:
        if call.status != 200 or not isinstance(call.answer, dict):
            return
        told = call.answer if "charge" in call.answer else call.answer.get("order") or {}
        charge, number = told.get("charge"), told.get("merchant_uid")
        if charge and number:
            imp_uid = told.get("charged_imp_uid")
            at = await self.world.now(self.uid)
            self.told.append(ToldOfCharge(at, call.does, charge, number, imp_uid))

    def _void(self, at: datetime) -> None:
        """A later command plans anew what an earlier one stopped."""
        self.told = [
            ToldOfCharge(t.at, t.command, t.charge, t.merchant_uid, t.imp_uid, t.void_from or at) for t in self.told
        ]

    def _heed(self, calls: list[Call]) -> None:
        """What persons did beside the product changes what ought to come."""
        for call in calls:
            if call.does.startswith("console") and call.is_done:
                if call.answer.get("imp_uid"):
                    self.by_hand.add(call.answer["imp_uid"])
                if call.does == "console move":
                    self.by_hand.add(call.answer["merchant_uid"])
            if call.does.startswith("operator") and self.life is not None:
                self.life.terminated_at = call.at

    async def _note(self, what: str) -> None:
        self.acts.append((await self.world.now(self.uid), what))


def _following(shown: dict[str, object]) -> int:
    """The number of the period that is due next."""
    cycle = shown["cycle"]
    assert isinstance(cycle, dict)
    return int(cycle["number"])


def draw_subscriber(world: World, uid: str, seed: str, pairs: tuple[Pair, ...], price: int) -> Subscriber:
    """A subscriber with these pairs: each step has one at most."""
    assert len({pair.step for pair in pairs}) == len(pairs)
    assert {pair.step for pair in pairs} <= {*STEPS}
    return Subscriber(world, uid, random.Random(seed), pairs, price)


def _day(instant: str) -> date:
    """The calendar day of an instant where the buyers are."""
    return datetime.fromisoformat(instant).astimezone(_KOREA).date()
