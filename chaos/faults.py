"""What can go wrong, by a name each, at each step of a life: one rule of the emulator, or an act of a person."""

import functools
import itertools
import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chaos.world import World

STEPS: Mapping[str, tuple[str, ...]] = {
    "issue": ("change", "look"),
    "start": ("change", "look", "charge", "webhook", "delete"),
    "schedule": ("change", "look", "webhook", "person"),
    "due": ("change", "look", "charge", "webhook", "person"),
    "dunning": ("change", "look", "charge", "webhook", "person"),
    "card change": ("change", "look", "charge", "webhook", "person", "delete"),
    "refund": ("change", "look", "person"),
    "cancel": ("change", "look", "person"),
}
"""The steps of a life in their order, and what of all that goes wrong they can meet."""

CHANGES: Mapping[str, str] = {
    "issue": "customers",
    "start": "again",
    "schedule": "schedule",
    "due": "findAll",
    "dunning": "reschedule",
    "cancel": "unschedule",
    "card change": "customers",
    "refund": "cancel",
}
"""The call by which a step changes something at PortOne; when a charge is due, that is PortOne's own affair."""

LOOKS: Mapping[str, str] = {
    "issue": "customers_get",
    "start": "findAll",
    "schedule": "schedule_get",
    "due": "*",
    "dunning": "schedule_get",
    "cancel": "schedule_get",
    "card change": "schedule_get",
    "refund": "*",
}
"""The look-up by which a step closes a doubt."""

HOUR = 3600


WHERE: Mapping[str, str] = {
    "change": "the call by which the step changes something",
    "look": "the look-up by which it closes a doubt",
    "charge": "the PG's decision on a charge",
    "webhook": "a webhook",
    "delete": "the deletion of a key",
    "person": "a person, in PortOne's console or at the run",
    "point": "a process of ours, at a fail point",
}
"""What a mishap strikes, in words."""


class Mishap(NamedTuple):
    """One thing that goes wrong: a rule (`where` is a call of the step), or an act of a person."""

    where: str
    rule: Mapping[str, Any]
    is_beyond: bool = False
    """It outlasts the quiet window, or shows what never was: it is found by reconciliation, and not before."""

    @property
    def is_for_good(self) -> bool:
        """Whether it goes on for as long as anything is broken."""
        return self.where != "person" and self.rule.get("count") is None


def _change(kind: str, **more: Any) -> Mishap:
    return Mishap("change", {"count": 1, "kind": kind, **more})


def _look(kind: str, *, is_beyond: bool = False, **more: Any) -> Mishap:
    return Mishap("look", {"kind": kind, "count": 2, **more}, is_beyond)


def _webhook(kind: str, **more: Any) -> Mishap:
    return Mishap("webhook", {"kind": kind, "count": 1, **more})


def _person(act: str, **more: Any) -> Mishap:
    return Mishap("person", {"act": act, **more})


MISHAPS: Mapping[str, Mishap] = {
    "cut before": _change("drop_before"),
    "500 before": _change("500_before"),
    "401": _change("401"),
    "429": _change("429_bare"),
    "redirect": _change("redirect"),
    "a minute late": _change("execute_late", seconds=60),
    "five minutes late": _change("execute_late", seconds=300, answer="cut"),
    "an hour late": Mishap("change", {"kind": "execute_late", "count": 1, "seconds": HOUR}, is_beyond=True),
    "cut after": _change("drop_after"),
    "500 after": _change("500_after"),
    "garbage": _change("garbage"),
    "500 for a while": _change("500_before", count=5),
    "500 for good": _change("500_before", count=None),
    "429 for a while": _change("429_bare", count=4),
    "look 500": _look("500_before"),
    "look cut": _look("drop_after"),
    "look lags": _look("stale", seconds=120),
    "look frozen": _look("frozen"),
    "look wrong amount": _look("wrong_amount", count=1),
    "look wrong order": _look("wrong_merchant_uid", count=1),
    "look wrong key": _look("wrong_customer_uid", count=1),
    "look wrong payment": _look("wrong_imp_uid", count=1, is_beyond=True),
    "declined": Mishap("charge", {"kind": "decline", "count": 1}),
    "undecided for an hour": Mishap("charge", {"kind": "undecided", "count": 1, "seconds": HOUR}),
    "never decided": Mishap("charge", {"kind": "undecided", "count": 1}),
    "webhook lost": _webhook("drop_webhook", count=3),
    "webhook late": _webhook("delay_webhook", seconds=1800),
    "webhook twice": _webhook("duplicate_webhook"),
    "webhooks out of order": _webhook("reorder_webhook", seconds=600),
    "webhook forged": _webhook("forge_webhook"),
    "webhook early": _webhook("early_webhook"),
    "key undeletable for a while": Mishap("delete", {"kind": "500_before", "count": 4}),
    "key undeletable for good": Mishap("delete", {"kind": "500_before"}),
    "key deleted late": Mishap("delete", {"kind": "execute_late", "count": 1, "seconds": 120}),
    "person executes": _person("execute"),
    "person pays": _person("pay"),
    "person revokes": _person("revoke"),
    "person retries": _person("retry"),
    "person refunds": _person("cancel"),
    "person moves": _person("move", by_seconds=24 * HOUR),
    "operator terminates": _person("terminate"),
}
"""Every kind of mishap by its name."""


CALLED: Mapping[str, str] = {
    "issue": "POST /subscribe/customers/{customer_uid}",
    "start": "POST /subscribe/payments/again",
    "schedule": "POST /subscribe/payments/schedule",
    "due": "POST /subscribe/payments/schedule",
    "dunning": "POST /subscribe/payments/schedule/{merchant_uid}/reschedule",
    "cancel": "POST /subscribe/payments/unschedule",
    "card change": "POST /subscribe/customers/{customer_uid}",
    "refund": "POST /payments/cancel",
}
"""The same call as a fail point of the product names it."""


def _points() -> dict[str, Mishap]:
    places = {
        "the mark": ("before mark_sent", "after mark_sent"),
        "the call": ("before the call", "after the call"),
        "the write": ("before record", "after record"),
    }
    return {
        f"{done} {when} {what}": Mishap("point", {"point": point, "act": act})
        for done, act in (("killed", "kill"), ("stopped", "stop"))
        for what, points in places.items()
        for when, point in zip(("before", "after"), points, strict=True)
    }


POINTS: Mapping[str, Mishap] = _points()
"""Where a process of ours dies, or stands still for some seconds, on behalf of one subscriber: by its fail points."""

MARKED = ("start",)
"""Steps that charge by themselves: what they send is marked in the ledger before."""


def points_of(step: str) -> tuple[str, ...]:
    """The fail points that a step of a life comes to."""
    return tuple(name for name in POINTS if step in MARKED or not name.endswith("the mark"))


class Pair(NamedTuple):
    """Two mishaps in their order, at one step."""

    step: str
    first: str
    second: str


@functools.cache
def every_pair() -> tuple[Pair, ...]:
    """Each ordered pair of mishaps at each step, in an order that is drawn once and the same for ever."""
    pairs = [
        Pair(step, *two)
        for step, met in STEPS.items()
        for two in itertools.product((name for name, mishap in MISHAPS.items() if mishap.where in met), repeat=2)
    ]
    random.Random("every pair").shuffle(pairs)
    return tuple(pairs)


@functools.cache
def every_pair_of_processes() -> tuple[Pair, ...]:
    """Each ordered pair of a fail point with another one, or with a mishap, at each step, likewise."""
    pairs = []
    for step, met in STEPS.items():
        points = points_of(step)
        names = [*points, *(name for name, mishap in MISHAPS.items() if mishap.where in met)]
        pairs += [Pair(step, *two) for two in itertools.product(names, repeat=2) if {*two} & {*points}]
    random.Random("every pair of processes").shuffle(pairs)
    return tuple(pairs)


def mishap_of(name: str) -> Mishap:
    """What a name stands for."""
    return MISHAPS.get(name) or POINTS[name]


def rule_of(step: str, name: str, customer_uid: str) -> dict[str, Any]:
    """The emulator's rule for a mishap at a step, for one subscriber."""
    mishap = MISHAPS[name]
    path = {
        "change": CHANGES[step],
        "look": LOOKS[step],
        "webhook": "webhook",
        "charge": "*",
        "delete": "customers_delete",
    }[mishap.where]
    looks_everywhere = mishap.where == "look" and path == "*" and mishap.rule["kind"] not in ("stale", "frozen")
    return {
        "path": "findAll" if looks_everywhere else path,
        # A webhook and a look-up of a key that a subscription was changed to are his, too.
        "customer_uid": f"{customer_uid}*",
        **mishap.rule,
    }


Struck = int | tuple[str, ...] | None
"""How it is found out whether something struck: a rule's number, or what armed a fail point; None for an act."""


async def strike(world: World, step: str, name: str, customer_uid: str, number: str | None) -> Struck:
    """Let it go wrong: set its rule, arm its point, or act; None also for an act that cannot be done."""
    mishap = mishap_of(name)
    if mishap.where == "point":
        point = str(mishap.rule["point"]).replace("the call", CALLED[step])
        return tuple(world.arm(point, mishap.rule["act"], customer_uid, *([number] if number else [])))
    if mishap.where != "person":
        rule = await world.control("POST", "faults", rule_of(step, name, customer_uid))
        return int(rule["number"])
    act = dict(mishap.rule)
    kind = act.pop("act")
    if kind == "terminate":
        await world.terminate(customer_uid)
        return None
    if number is None:
        return None
    if kind == "pay":
        shown = await world.subscription(customer_uid)
        key = shown.get("payment_method", {}).get("customer_uid", customer_uid)
        act |= {"customer_uid": key, "amount": shown.get("next_amount") or shown["plan"]["amount"]}
    await world.console(customer_uid, kind, merchant_uid=number, **act)
    return None


async def fired(world: World, each: Sequence[Struck]) -> list[bool]:
    """Whether each of these has struck; an act always has."""
    rules = {rule["number"]: rule["fired"] for rule in await world.control("GET", "faults")}
    return [
        world.has_taken(struck) if isinstance(struck, tuple) else struck is None or rules.get(struck, 0) > 0
        for struck in each
    ]
