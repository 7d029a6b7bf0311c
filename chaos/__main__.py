"""`python -m chaos`: the stories, and lives drawn at random, against the real parts."""

import argparse
import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from chaos import every_event
from chaos.faults import Pair, every_pair
from chaos.mutants.command import main as try_mutants
from chaos.plan import Lives, planned_again
from chaos.processes.fleet import POSTGRESQL, SQLITE
from chaos.processes.mishaps import BLOWS
from chaos.processes.siege import besieged
from chaos.report import lines_of, report_of, write_report
from chaos.rounds import Round
from chaos.running import JOBS, Run, be_quiet, keep, kept_rounds, lived, sources
from chaos.stack import a_dev_server
from chaos.stories import STORIES
from chaos.telling import Told, told
from chaos.tiers import TIERS, Tier

REPORT = Path("chaos-report.json")
EXITS = {"pass": 0, "fail": 1, "invalid": 3}
"""The exit code of each verdict; 2 says that the arguments were wrong."""


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; answers the exit code: 1 when a promise is broken."""
    said = sys.argv[1:] if arguments is None else arguments
    if said[:1] == ["mutants"]:
        return try_mutants(said[1:])
    chosen = _parser().parse_args(said)
    if chosen.command == "run":
        return asyncio.run(_rounds(chosen))
    be_quiet()
    if chosen.command == "every-event":
        return asyncio.run(every_event.main(chosen.every, _line))
    if chosen.command == "stories":
        return asyncio.run(_stories(chosen.names, verbose=chosen.verbose))
    return asyncio.run(_processes(chosen))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    stories = commands.add_parser("stories", help="every named story, with its promise, kept or broken")
    stories.add_argument("names", nargs="*", help="some of them; all otherwise")
    stories.add_argument("--verbose", action="store_true", help="also tell what was asked and answered")
    commands.add_parser("mutants", help="every sabotage of the product, and whether a test notices it", add_help=False)
    events = commands.add_parser("every-event", help="one life, its worker killed and its run ended at every point")
    events.add_argument("--every", type=int, default=1, help="only each so-manieth point (1)")
    run = commands.add_parser("run", help="rounds of many subscribers at once, with mishaps in pairs")
    run.add_argument("--seed", type=int, default=0, help="of the first round (0); each draws the same lives always")
    run.add_argument("--tier", choices=TIERS, help="how much, by name; what else is given comes first")
    run.add_argument("--rounds", type=int, help="how many, of the seeds that follow (1)")
    run.add_argument("--subscribers", type=int, help="in each round (12)")
    run.add_argument("--periods", type=int, help="that a life goes on for which nothing has ended (1)")
    run.add_argument("--clean", action="store_true", help="nothing goes wrong: the harness against itself")
    run.add_argument("--pair", action="append", type=_pair, help="STEP:FIRST:SECOND for every subscriber; repeatable")
    run.add_argument("--jobs", type=int, default=JOBS, help=f"rounds at once, each in a process of its own ({JOBS})")
    run.add_argument("--report", type=Path, default=REPORT, help=f"where the report goes ({REPORT})")
    run.add_argument("--again", type=Path, help="a report: the round of --seed once more, with the pairs it met there")
    run.add_argument("--resume", action="store_true", help="go on after the rounds that the report has already")
    processes = commands.add_parser("processes", help="the same lives in real processes that are killed and cut off")
    processes.add_argument("--seed", type=int, default=0, help="of the first wave (0)")
    processes.add_argument("--minutes", type=float, default=0.0, help="for which new waves begin; one at least (0)")
    processes.add_argument("--subscribers", type=int, default=8, help="in each wave (8)")
    processes.add_argument("--database", choices=(SQLITE, POSTGRESQL), default=SQLITE, help=f"({SQLITE})")
    processes.add_argument("--careless", action="store_true", help="deploy without a patch: the run has to be broken")
    processes.add_argument("--blow", action="append", choices=BLOWS, help="these blows alone; repeatable")
    processes.add_argument("--report", type=Path, default=REPORT, help=f"where the report goes ({REPORT})")
    return parser


def _pair(text: str) -> Pair:
    pair = Pair(*text.split(":"))
    if pair not in every_pair():
        raise argparse.ArgumentTypeError(f"not two mishaps that this step can meet: {text}")
    return pair


async def _stories(names: list[str], *, verbose: bool) -> int:
    chosen = [story for story in STORIES if not names or story.name in names]
    if unknown := set(names) - {story.name for story in STORIES}:
        sys.stderr.write(f"no such story: {', '.join(sorted(unknown))}\n")
        return 2
    results = []
    async with a_dev_server() as server:
        for story in chosen:
            result = await told(story, server.client)
            results.append(result)
            _say(result, verbose=verbose)
    broken = [each for each in results if not each.kept]
    sys.stdout.write(f"{len(results) - len(broken)} kept, {len(broken)} broken\n")
    return 1 if broken else 0


def _say(result: Told, *, verbose: bool) -> None:
    story = result.story
    mark = "kept  " if result.kept else "BROKEN"
    sys.stdout.write(f"{mark} row {story.row:>2} {story.name} ({result.seconds:.0f} s)\n")
    if not result.kept:
        sys.stdout.write(f"         {story.promise}\n         -> {result.broken}\n")
    if verbose:
        sys.stdout.writelines(f"         {line}\n" for line in result.lines)
    sys.stdout.flush()


def _tier(chosen: argparse.Namespace) -> Tier:
    """How much is done: by the tier's name, and by what was given besides."""
    tier = TIERS[chosen.tier] if chosen.tier else Tier(subscribers=12)
    wanted = replace(
        tier,
        rounds=chosen.rounds or tier.rounds,
        subscribers=chosen.subscribers or tier.subscribers,
        periods=chosen.periods or tier.periods,
        # Whose pairs are given comes to no others.
        every_pair=tier.every_pair and not (chosen.rounds or chosen.clean or chosen.pair),
    )
    # Who asks for another number of rounds wants that many.
    return replace(wanted, charges=0, floor=0) if chosen.rounds else wanted


def _run(chosen: argparse.Namespace) -> Run:
    """The rounds to be lived: by the tier, or one of them once more.

    Raises:
        LookupError: the report has no round of that seed.
        ValueError: the report would be written over.
    """
    if not chosen.again:
        tier = _tier(chosen)
        return Run(tier, chosen.seed, _lives(chosen, tier))
    if chosen.again.resolve() == chosen.report.resolve():
        raise ValueError(f"{chosen.again} would be written over: say --report")
    planned = planned_again(json.loads(chosen.again.read_text(encoding="utf-8")), chosen.seed)
    if planned is None:
        raise LookupError(f"{chosen.again} has no round of the seed {chosen.seed}")
    once = Tier(len(planned.lives), periods=planned.periods, rounds=1, uncached=planned.uncached)
    return Run(once, chosen.seed, planned.lives)


async def _rounds(chosen: argparse.Namespace) -> int:
    command = _command(chosen)
    try:
        run = _run(chosen)
        kept = chosen.report.with_suffix(".rounds")
        if chosen.resume:
            run.resume(_rounds_before(chosen.report, kept, command))
        else:
            kept.unlink(missing_ok=True)
    except (OSError, ValueError, LookupError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    code = sources()

    def report() -> dict[str, Any]:
        return report_of(run.rounds, command, floor=run.tier.floor, tier=chosen.tier, code=code)

    async for one, line in lived(run, chosen.jobs):
        keep(kept, one)
        write_report(chosen.report, report())
        _line(f"{line}; {len(run.rounds)} rounds, {sum(each.charges for each in run.judged)} charges")
        _tell_what_broke(one, f"python -m chaos run --seed {one.seed} --again {chosen.report} --report again.json")
    return _end(report(), chosen.report)


def _command(chosen: argparse.Namespace) -> str:
    """What was asked for, so that somebody can ask for it again."""
    asked = [f"python -m chaos run --seed {chosen.seed}"]
    named = {name: getattr(chosen, name) for name in ("tier", "rounds", "subscribers", "periods")}
    asked += [f"--{name} {value}" for name, value in named.items() if value]
    asked += ["--clean"] if chosen.clean else []
    asked += [f"--pair '{':'.join(pair)}'" for pair in chosen.pair or ()]
    asked += [f"--again {chosen.again}"] if chosen.again else []
    return " ".join(asked)


def _lives(chosen: argparse.Namespace, tier: Tier) -> Lives | None:
    """The pairs of each round, where they are not the next ones in turn."""
    return [tuple(chosen.pair or ())] * tier.subscribers if chosen.clean or chosen.pair else None


def _rounds_before(report: Path, kept: Path, command: str) -> list[Round]:
    """The rounds that a report was made of.

    Raises:
        ValueError: they were lived on other code, or something else was asked for.
    """
    before = json.loads(report.read_text(encoding="utf-8"))
    if before["reproduce"] != command:
        raise ValueError(f"{report} is of another run: {before['reproduce']}")
    if before["code"] != sources():
        raise ValueError(f"{report} was made on other code: its rounds prove nothing of this one")
    return list(kept_rounds(kept))


async def _processes(chosen: argparse.Namespace) -> int:
    command = f"python -m chaos processes --seed {chosen.seed} --subscribers {chosen.subscribers}"
    command += f" --minutes {chosen.minutes:g} --database {chosen.database}"
    command += " --careless" if chosen.careless else ""
    command += "".join(f" --blow '{name}'" for name in chosen.blow or ())
    waves = await besieged(
        chosen.seed,
        chosen.subscribers,
        _line,
        database=chosen.database,
        minutes=chosen.minutes,
        only=chosen.blow or (),
        careless=chosen.careless,
    )
    for wave in waves:
        _tell_what_broke(wave, command)
    return _end(report_of(waves, command, code=sources()), chosen.report)


def _end(report: dict[str, Any], path: Path) -> int:
    """Keep the report, tell of it, and answer the exit code."""
    write_report(path, report)
    for line in lines_of(report):
        _line(line)
    return EXITS[report["verdict"]]


def _tell_what_broke(one: Round, command: str) -> None:
    for judged in one.judged:
        if not judged.broken:
            continue
        _line(f"\n{judged.customer_uid}, seed {one.seed} of: {command}")
        for violation in judged.broken:
            _line(f"  {violation.invariant}: {violation.period}: {violation.says}")
        for line in judged.story:
            _line(f"    {line}")


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
