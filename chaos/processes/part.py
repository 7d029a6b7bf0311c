"""A part of the product as a process of the harness: a worker of some release, and whoever's clock is off.

`python -m chaos.processes.part [--release KIND --build-id ID] [--clock-minutes N] worker | api ...`
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import timedelta

from api.cli import main as gudok
from billing.settings import load_settings
from chaos.processes.clock import run_off_by
from chaos.processes.releases import DEPLOYMENT, Kind, Release, dark_patches_of, workflows_of
from worker import run


def words_for(release: Release | None, clock: timedelta) -> list[str]:
    """What this module is told, to run a part of a release by a clock that is off by so much."""
    told = ["--clock-minutes", f"{clock.total_seconds() / 60:g}"] if clock else []
    return [*told, "--release", release.kind, "--build-id", release.build_id] if release else told


def main(arguments: Sequence[str]) -> None:
    """Run it until it is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m chaos.processes.part", description=__doc__, allow_abbrev=False)
    parser.add_argument("--release", type=Kind, choices=Kind, default=Kind.OWN)
    parser.add_argument("--build-id")
    parser.add_argument("--clock-minutes", type=float, default=0.0)
    chosen, words = parser.parse_known_args(arguments)
    if chosen.clock_minutes:
        run_off_by(timedelta(minutes=chosen.clock_minutes))
    if words != ["worker"]:
        sys.argv[1:] = words
        gudok()
        return
    os.environ |= {
        "TEMPORAL_DEPLOYMENT_NAME": DEPLOYMENT,
        "TEMPORAL_WORKER_BUILD_ID": chosen.build_id,
        "GUDOK_DARK_PATCHES": ",".join(dark_patches_of(chosen.release)),
    }
    asyncio.run(run(load_settings(), workflows_of(chosen.release)))


if __name__ == "__main__":
    main(sys.argv[1:])
