"""`python -m chaos`: the stories, and lives drawn at random, against the real parts."""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from chaos.faults import Pair, every_pair
from chaos.report import lines_of, report_of, write_report
from chaos.rounds import Round, one_round
from chaos.stack import a_dev_server
from chaos.stories import STORIES
from chaos.telling import Told, told

REPORT = Path("chaos-report.json")
TIERS = {"smoke": (1, 4), "nightly": (42, 12), "soak": (500, 12)}
"""How many rounds of how many subscribers."""


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; answers the exit code: 1 when a promise is broken."""
    chosen = _parser().parse_args(arguments)
    _be_quiet()
    if chosen.command == "stories":
        return asyncio.run(_stories(chosen.names, verbose=chosen.verbose))
    return asyncio.run(_rounds(chosen))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    stories = commands.add_parser("stories", help="every named story, with its promise, kept or broken")
    stories.add_argument("names", nargs="*", help="some of them; all otherwise")
    stories.add_argument("--verbose", action="store_true", help="also tell what was asked and answered")
    run = commands.add_parser("run", help="rounds of many subscribers at once, with mishaps in pairs")
    run.add_argument("--seed", type=int, default=0, help="of the first round (0); each draws the same lives always")
    run.add_argument("--rounds", type=int, default=1, help="how many, of the seeds that follow (1)")
    run.add_argument("--subscribers", type=int, default=12, help="in each round (12)")
    run.add_argument("--tier", choices=TIERS, help="rounds and subscribers by name")
    run.add_argument("--clean", action="store_true", help="nothing goes wrong: the harness against itself")
    run.add_argument("--pair", action="append", type=_pair, help="STEP:FIRST:SECOND for every subscriber; repeatable")
    run.add_argument("--report", type=Path, default=REPORT, help=f"where the report goes ({REPORT})")
    return parser


def _pair(text: str) -> Pair:
    pair = Pair(*text.split(":"))
    if pair not in every_pair():
        raise argparse.ArgumentTypeError(f"not two mishaps that this step can meet: {text}")
    return pair


def _be_quiet() -> None:
    """What fails here fails on purpose, and is told in the end; every log would say it a hundred times."""
    logging.disable(logging.CRITICAL)
    quiet = LoggingConfig(filter=TelemetryFilter(core_level="OFF", other_level="OFF"))
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=quiet)), error_if_already_set=False)


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


async def _rounds(chosen: argparse.Namespace) -> int:
    rounds: list[Round] = []
    if chosen.tier:
        chosen.rounds, chosen.subscribers = TIERS[chosen.tier]
    command = f"python -m chaos run --seed {chosen.seed} --rounds {chosen.rounds} --subscribers {chosen.subscribers}"
    pairs = None
    if chosen.clean or chosen.pair:
        pairs = [tuple(chosen.pair or ())] * chosen.subscribers
        command += "".join(f" --pair '{':'.join(pair)}'" for pair in chosen.pair or ()) or " --clean"
    async with a_dev_server() as server:
        for seed in range(chosen.seed, chosen.seed + chosen.rounds):
            one = await one_round(server.client, seed, chosen.subscribers, _line, pairs=pairs)
            rounds.append(one)
            _tell_what_broke(one, command)
            write_report(chosen.report, report_of(rounds, command))
    report = report_of(rounds, command)
    for line in lines_of(report):
        _line(line)
    return 0 if report["verdict"] == "pass" else 1


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
