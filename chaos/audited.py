"""The production's own judgement of a whole world, by `billing.domain.audit`: with what only a harness can bring.

`gudok audit` reads PortOne, the ledger and the runs. Here the journal of everything that was asked, and what ought to
have been charged by the harness's own calendar, are judged as well.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from api.audit_reading import Auditor
from billing.clocks import Clocks
from billing.domain.audit import Leeways
from billing.domain.audit import Violation as Found
from billing.domain.audit.books import Artefact, ExpectedPeriod, Journal, Operation
from billing.domain.money import Money
from billing.domain.windows import Window
from billing.ledger import Ledger
from billing.settings import Settings
from chaos.invariants import SLA, Violation
from chaos.journal import Call
from chaos.judging import Judged
from chaos.lives import Subscriber
from chaos.world import GOOD, HARD, SOFT, TWICE, World, card
from worker import portone_client

LEEWAYS = Leeways(settle=timedelta(0), overdue=SLA, webhook=timedelta(days=2))
"""In quiet nothing is being settled any more; a period may be as late as the harness allows."""

OF_A_TERMINATED_RUN = frozenset({"no_run_astray", "nothing_due_unlisted", "one_fate"})
"""What an audit rightly says of a life whose run an operator has ended from outside: that is how it is found."""

_STOPPED = frozenset({"revoked", "none_planned"})
_SQLITE = "sqlite:///"


async def audited(
    world: World,
    everybody: Sequence[Subscriber],
    judged: Sequence[Judged],
    *,
    artefacts: Iterable[Path] = (),
    counts_webhooks: bool = True,
) -> list[Violation]:
    """Every violation that the production's library finds in this world, as the harness tells of them.

    Args:
        world: to be judged, once it is quiet.
        everybody: who lived in it.
        judged: what is known of each: what ought to have been charged.
        artefacts: files in which nothing of a card may be left.
        counts_webhooks: whether each webhook was answered once: not where the process that answers may die.
    """
    settings = Settings(
        mode="test",
        portone_url=str(world.stack.emulator.base_url),
        portone_include_sandbox=True,
        database_url=world.stack.database_url,
    )
    ledger, client = Ledger(world.stack.database_url), portone_client(settings)
    try:
        at = datetime.now(UTC)
        until = (await Clocks(settings).read(at)).latest() + timedelta(minutes=1)
        auditor = Auditor(
            settings,
            client,
            ledger,
            world.stack.temporal,
            told=lambda _what, _rows: None,
            task_queue=world.stack.task_queue,
            journal=await _journal(world, artefacts, counts_webhooks=counts_webhooks),
            expected=tuple(_expected(judged)),
        )
        found = await auditor.audit(Window(at - timedelta(days=2), until), LEEWAYS, at)
    finally:
        await client.aclose()
        await ledger.aclose()
    excused = await _Excused.of(world, everybody)
    return [_told(name, each) for name, each in found.violations if not excused.of_this(name, each)]


async def with_audit(judged: Sequence[Judged], found: Sequence[Violation]) -> list[Judged]:
    """The same, each with what the audit has found of that subscriber; what is of nobody stands with the first one."""
    broken: dict[str, list[Violation]] = {}
    for each in found:
        owner = next((one.customer_uid for one in judged if _is_of(each, one)), judged[0].customer_uid)
        broken.setdefault(owner, []).append(each)
    return [await _with(one, broken.get(one.customer_uid, [])) for one in judged]


async def _with(one: Judged, found: list[Violation]) -> Judged:
    if not found:
        return one
    story = one.story or (await one.tell() if one.tell else [])
    return replace(one, broken=[*one.broken, *found], story=story)


def _is_of(found: Violation, one: Judged) -> bool:
    return found.customer_uid.startswith(one.customer_uid) or any(due.life in found.period for due in one.due)


async def webhooks_of(world: World) -> dict[str, int]:
    """What the webhooks of a world came to, by disposition."""
    ledger = Ledger(world.stack.database_url)
    try:
        counted: Counter[str] = Counter()
        after = None
        while rows := await ledger.list_webhooks(after=after):
            after = rows[-1].inbox_id
            for row in rows:
                counted[str(row.disposition or "undecided")] += 1
        return dict(counted)
    finally:
        await ledger.aclose()


# ---------------------------------------------------------------- what a harness brings


def _expected(judged: Sequence[Judged]) -> Iterable[ExpectedPeriod]:
    for one in judged:
        for due in one.due:
            yield ExpectedPeriod(subscription_id=due.life, cycle=due.period, due_at=due.at, amount=Money(due.amount))


async def _journal(world: World, artefacts: Iterable[Path], *, counts_webhooks: bool) -> Journal:
    deliveries: Counter[tuple[str, str, str, str]] = Counter()
    for sent in await world.control("GET", "webhooks") if counts_webhooks else ():
        if sent["status"] is not None and sent["status"] < 300:
            body = sent["body"]
            identity = (body["imp_uid"], body["merchant_uid"], body["status"], body.get("cancellation_id") or "")
            deliveries[identity] += 1
    files = [*artefacts]
    if world.stack.database_url.startswith(_SQLITE):
        ledger = Path(world.stack.database_url.removeprefix(_SQLITE))
        files += sorted(ledger.parent.glob(f"{ledger.name}*"))
    return Journal(
        operations=tuple(_operation(call) for call in world.journal.calls if "/v1/" in call.does),
        deliveries=deliveries,
        requests=tuple(_request(call.does) for call in world.stack.recorder.calls),
        secrets={f"card {last}": card(last)["card_number"].replace("-", "") for last in (GOOD, SOFT, HARD, TWICE)},
        artefacts=tuple(Artefact(path.name, path.read_bytes()) for path in files),
    )


def _request(does: str) -> tuple[str, str]:
    method, _, path = does.partition(" ")
    return method, path


def _operation(call: Call) -> Operation:
    name = call.does.rpartition("/")[2]
    answer = call.answer if isinstance(call.answer, dict) else {}
    starts = name == "subscriptions"
    ended_now = name == "cancel" and isinstance(call.body, dict) and call.body.get("at") == "now"
    return Operation(
        name="start" if starts else name,
        at=call.at,
        status=call.status,
        customer_uid=call.customer_uid,
        subscription_id=answer.get("subscription_id"),
        # What is still open may be answered otherwise when it is asked for again.
        idempotency_key=None if call.status == 202 else call.idempotency_key,
        body=json.dumps(answer, sort_keys=True, default=str),
        stopped=ended_now and answer.get("charge") in _STOPPED,
    )


# ---------------------------------------------------------------- what was done to it on purpose


class _Excused:
    """What an audit says rightly of what was done on purpose beyond every promise, and what a list names by then."""

    def __init__(self, terminated: set[str], differing: set[str], touched: set[str]) -> None:
        self._terminated = terminated
        self._differing = differing
        self._touched = touched

    @classmethod
    async def of(cls, world: World, everybody: Sequence[Subscriber]) -> "_Excused":
        """By what was done to whom, and by what reconciliation has found."""
        terminated = {life.life for each in everybody for life in each.lives if life.terminated_at is not None}
        beyond = {each.uid for each in everybody if each.beyond or any(life.terminated_at for life in each.lives)}
        rows = await world.differences() if beyond else []
        differing = {
            str(row["merchant_uid"])
            for row in rows
            if any(str(row["customer_uid"] or "").startswith(uid) for uid in beyond)
        }
        calls = [call for each in everybody for call in each.world.journal.of(each.uid)]
        touched = {str(call.body.get("merchant_uid")) for call in calls if call.does.startswith("console")}
        return cls(terminated, differing, touched)

    def of_this(self, name: str, found: Found) -> bool:
        """Whether this one is."""
        if name in OF_A_TERMINATED_RUN and found.subscription_id in self._terminated:
            return True
        if name == "cards_not_hammered" and {*found.merchant_uids} <= self._touched:
            # A person paid it in the console while its schedule stood: PortOne tried once more by itself.
            return True
        return bool(self._differing & {*found.merchant_uids})


def _told(name: str, found: Found) -> Violation:
    period = "/".join(str(part) for part in (found.subscription_id, found.cycle) if part is not None)
    return Violation(name, found.customer_uid or "", period or " ".join(found.merchant_uids), found.sentence)
