"""`python -m chaos`: the stories, and lives drawn at random, against the real parts."""

import argparse
import asyncio
import logging
import sys

from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from chaos.stack import a_dev_server
from chaos.stories import STORIES
from chaos.telling import Told, told


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; answers the exit code: 1 when a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    stories = commands.add_parser("stories", help="every named story, with its promise, kept or broken")
    stories.add_argument("names", nargs="*", help="some of them; all otherwise")
    stories.add_argument("--verbose", action="store_true", help="also tell what was asked and answered")
    chosen = parser.parse_args(arguments)
    _be_quiet()
    return asyncio.run(_stories(chosen.names, verbose=chosen.verbose))


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


if __name__ == "__main__":
    sys.exit(main())
