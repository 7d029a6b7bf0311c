"""The rules that are set, and which of them strikes: decided by what a call is and how often it was seen."""

import hashlib
import json

from billing.emulator.agenda import NOBODY
from billing.emulator.console_acts import ConsoleAct
from billing.emulator.fault_kinds import KINDS
from billing.emulator.faults import Fault, Plan, fits, instant_of
from billing.emulator.store import Record
from billing.emulator.world import World

BEFORE = tuple(name for name, kind in KINDS.items() if kind.moment == "before")
AFTER = tuple(name for name, kind in KINDS.items() if kind.moment == "after")
LOOK = tuple(name for name, kind in KINDS.items() if kind.moment == "look")
WEBHOOK = tuple(name for name, kind in KINDS.items() if kind.moment == "webhook")

_FIELDS = Fault(kind="decline").model_dump(mode="json") | {"number": 0, "seed": 0, "mark": 0, "fired": 0}


class Faults:
    """The rules that are set, durable like the rest; counts are of whole calls, and outlive a kill with them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = world.store

    def add(self, fault: Fault, *, seed: int = 0) -> Record:
        """Set one more rule."""
        rules = self._store["faults"].values()
        number = max((rule.get("number", 0) for rule in rules), default=0) + 1
        told = fault.model_dump(mode="json")
        record = {"number": number, "seed": seed, "mark": self._world.past.mark(), **told, "fired": 0}
        key = f"{self._store.count('fault'):06d}"
        if fault.act is not None and fault.at is not None:
            now = self._world.clock.now(fault.act.customer_uid)
            self.expect(key, fault.act, instant_of(fault.at, now), struck=1)
        return self._store.put("faults", key, record)

    def replace(self, plan: Plan) -> list[Record]:
        """Set a plan in place of whatever is set."""
        self.clear()
        self._store.put("switches", "plan", {"digest": _digest(plan)})
        return [self.add(rule, seed=plan.seed) for rule in plan.rules]

    def keeps(self, plan: Plan) -> bool:
        """Whether this plan is the one that is set, with what it has counted so far."""
        return self._store["switches"].get("plan") == {"digest": _digest(plan)}

    def clear(self) -> None:
        """Take every rule back, and every act that they have planned."""
        for kind in ("faults", "acts", "sightings"):
            for key in list(self._store[kind]):
                self._store.drop(kind, key)
        self._store.drop("switches", "plan")

    def all(self) -> list[Record]:
        """The rules and how often each has struck."""
        return [_FIELDS | rule for rule in self._store["faults"].values()]

    def take(
        self,
        kinds: tuple[str, ...],
        path: str,
        *,
        merchant_uid: str | None = None,
        customer_uid: str | None = None,
    ) -> Record | None:
        """The first rule that strikes, with its `key`, counted; None when nothing goes wrong."""
        # An order belongs to one key, which a look-up need not know.
        identity = f"{path} {merchant_uid}" if merchant_uid else f"{path} / {customer_uid}"
        for key, rule in list(self._store["faults"].items()):
            meant = (
                rule["kind"] in kinds
                and rule.get("at") is None
                and fits(rule["path"], path)
                and fits(rule["merchant_uid"], merchant_uid)
                and fits(rule["customer_uid"], customer_uid)
            )
            if meant and self._strikes(key, rule, identity):
                struck = self._store.put("faults", key, {**rule, "fired": rule["fired"] + 1})
                return {**_FIELDS, **struck, "key": key}
        return None

    def expect(self, key: str, act: ConsoleAct, at: float, *, struck: int = 0) -> None:
        """Plan an act of a rule for an instant, on the clock of the key that it names; `struck` is counted then."""
        told = act.model_dump(mode="json")
        planned = {"at": at, "owner": act.customer_uid or NOBODY, "rule": key, "act": told, "struck": struck}
        number = f"{self._store.count('act'):06d}"
        self._store.put("acts", number, planned)
        self._world.expect(act.customer_uid, at, "act", number)

    def note(self, key: str, told: str | None, *, planned: str | None = None) -> None:
        """Keep what an act of a rule came to: None when it was done, else the words in which it was refused."""
        struck = 0
        if planned is not None:
            struck = self._store["acts"][planned]["struck"]
            self._store.drop("acts", planned)
        if (rule := self._store["faults"].get(key)) is not None:
            self._store.put("faults", key, {**rule, "fired": rule["fired"] + struck, "refused": told})

    def _strikes(self, key: str, rule: Record, identity: str) -> bool:
        if not (rule.get("after") or rule.get("rate") is not None or rule.get("counted") == "each"):
            return rule["count"] is None or rule["fired"] < rule["count"]
        own = f"{key} {identity}"
        counted = own if rule.get("counted") == "each" else key
        seen = self._sightings(counted)
        drawn = seen["seen"] >= rule["after"] and (rule["count"] is None or seen["struck"] < rule["count"])
        if drawn and rule["rate"] is not None:
            nth = self._sightings(f"{own} drawn")["seen"]
            self._store.put("sightings", f"{own} drawn", {"seen": nth + 1, "struck": 0})
            drawn = _drawn(rule["seed"], rule["number"], identity, nth) < rule["rate"]
        self._store.put("sightings", counted, {"seen": seen["seen"] + 1, "struck": seen["struck"] + drawn})
        return drawn

    def _sightings(self, key: str) -> Record:
        return self._store["sightings"].get(key, {"seen": 0, "struck": 0})


def _drawn(seed: int, number: int, identity: str, nth: int) -> float:
    """A number from 0 up to, not including, 1: the same for the same rule, call and how often it came before."""
    told = json.dumps([seed, number, identity, nth]).encode()
    return int.from_bytes(hashlib.sha256(told).digest()[:7]) / 256**7


def _digest(plan: Plan) -> str:
    return hashlib.sha256(plan.model_dump_json().encode()).hexdigest()
