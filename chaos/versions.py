"""What deploys a run has met, and what became of every history that was made in it."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TypeVar


@dataclass(slots=True)
class Deploys:
    """Deploys of a siege.

    Args:
        deploys: versions that came up beside another one, were ramped and made current.
        rollbacks: ways back to the version before.
        ramps_taken_back: versions that were ramped, and not made current.
        at_once: times that two versions were given work at once.
        unconfirmed: times that Temporal took a routing, and had not told all of its parts when a deploy went on.
    """

    deploys: int = 0
    rollbacks: int = 0
    ramps_taken_back: int = 0
    at_once: int = 0
    unconfirmed: int = 0


@dataclass(slots=True)
class Histories:
    """What became of the histories of a namespace, a run each.

    Args:
        made: how many there are.
        replayed: that replay on every code which must be able to carry them.
        failed: that do not.
        versions: that have completed workflow tasks.
        moved: runs that more than one version has carried.
        patched: runs that have taken the patch of a later release.
    """

    made: int = 0
    replayed: int = 0
    failed: int = 0
    versions: int = 0
    moved: int = 0
    patched: int = 0


_Counted = TypeVar("_Counted", Deploys, Histories)


def together(counted: Iterable[_Counted], nothing: _Counted) -> _Counted:
    """All of them added to what is nothing yet."""
    for one in counted:
        for each in fields(one):
            setattr(nothing, each.name, getattr(nothing, each.name) + getattr(one, each.name))
    return nothing
