"""The releases that a siege deploys: the product's own, one that knows a patch, one that takes it, and so on.

docs/runbooks/deploy.md says which way back there is: to a version that can carry on what the newer one has begun. A
patch is therefore released dark before it is taken, and nobody goes from a release that takes it to one that does not
know it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from chaos.processes.next_release import PATCH, PatchedStep, UnpatchedStep
from worker import WORKFLOWS
from workflows.subscription.workflow import SubscriptionWorkflow

DEPLOYMENT = "gudok"
"""The worker deployment whose versions they are."""


class Kind(StrEnum):
    """What the code of a release does with the further step."""

    OWN = "own"
    """The product as it is: knows no patch."""
    DARK = "dark"
    """Knows the patch, and does not take it."""
    LIT = "lit"
    """Takes it."""
    CARELESS = "careless"
    """Takes the step without a patch: what the harness must notice."""


@dataclass(frozen=True, slots=True)
class Release:
    """One release; the later, the higher its number."""

    number: int = 0
    kind: Kind = Kind.OWN

    @property
    def build_id(self) -> str:
        """As Temporal knows it."""
        return f"r{self.number}-{self.kind}"

    def can_carry_on(self, newer: "Release") -> bool:
        """Whether one may go back to this one, from one that came later."""
        return self.number < newer.number and not (self.kind is Kind.OWN and newer.kind is Kind.LIT)


def kind_after(kind: Kind) -> Kind:
    """What is deployed next: the patch first dark, then taken; after that the same two, as of other changes."""
    return Kind.LIT if kind is Kind.DARK else Kind.DARK


def workflows_of(kind: Kind) -> Sequence[type]:
    """Every workflow of a release."""
    own = {Kind.OWN: SubscriptionWorkflow, Kind.CARELESS: UnpatchedStep}.get(kind, PatchedStep)
    return [own if workflow is SubscriptionWorkflow else workflow for workflow in WORKFLOWS]


def dark_patches_of(kind: Kind) -> Sequence[str]:
    """The patches that a release knows and does not take."""
    return [PATCH] if kind is Kind.DARK else []
