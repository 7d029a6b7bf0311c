"""Ten years of one subscription, daily and monthly, on a real Temporal server: `make years`.

Prints wall time, the paid periods against the emulator's books, and the largest history of one run, so that a reader
sees what continue-as-new keeps small. Exits 1 when a period is missing or was charged twice.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.stack import Stack, running_stack, start_dev_server

YEARS = 10
DAYS = {1: 366, 10: 3653}
PLANS = {
    "monthly": {"name": "월간 이용권", "amount": 9900, "interval": "month"},
    "daily": {"name": "일일 이용권", "amount": 1100, "interval": "day"},
}


@dataclass(frozen=True, slots=True)
class Lived:
    """What one subscription came to."""

    plan: str
    periods: int
    expected: int
    charged_twice: int
    seconds: float
    runs: int
    largest_events: int
    largest_bytes: int
    state_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.plan}: {self.periods} of {self.expected} periods paid, {self.charged_twice} twice, "
            f"{self.seconds:.0f} s ({self.seconds / self.periods * 1000:.0f} ms a period); "
            f"{self.runs} runs, the largest {self.largest_events} events and {self.largest_bytes / 1024:.0f} KiB; "
            f"the carried state is {self.state_bytes / 1024:.1f} KiB"
        )

    @property
    def clean(self) -> bool:
        """Whether every period is paid once."""
        return self.periods == self.expected and self.charged_twice == 0


async def live(stack: Stack, plan: str, days: int) -> Lived:
    """One subscription for so many days, from due to due, with a line of progress for each year."""
    uid = await stack.start(f"years-{plan}", plan=PLANS[plan])
    begun = time.monotonic()
    for left in range(days, 0, -365):
        await stack.advance(uid, days=min(365, left))
        paid = (await stack.snapshot(uid))["paid_cycles"]
        sys.stdout.write(
            f"  {plan}: {days - left + min(365, left)} days, {paid} periods, {time.monotonic() - begun:.0f} s\n"
        )
        sys.stdout.flush()
    seconds = time.monotonic() - begun
    books = await stack.books(uid)
    runs = [run async for run in stack.temporal.list_workflows(f'WorkflowId="subscription/{uid}"')]
    described = [await stack.temporal.get_workflow_handle(run.id, run_id=run.run_id).describe() for run in runs]
    history = await stack.handle(uid).fetch_history()
    carried = history.events[0].workflow_execution_started_event_attributes.input.payloads[1].data
    expected = days + 1 if plan == "daily" else days // 365 * 12 + 1
    return Lived(
        plan,
        periods=await stack.agree(uid),
        expected=expected,
        charged_twice=len(books["totals"]["charged_twice"]),
        seconds=seconds,
        runs=len(runs),
        largest_events=max(run.history_length for run in described),
        largest_bytes=max(run.raw_description.workflow_execution_info.history_size_bytes for run in described),
        state_bytes=len(carried),
    )


async def main() -> int:
    """Live the years that were asked for; answers the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, choices=sorted(DAYS), default=YEARS)
    parser.add_argument("--plan", choices=[*PLANS, "both"], default="both")
    arguments = parser.parse_args()
    lived = []
    async with await start_dev_server() as server:
        for plan in PLANS if arguments.plan == "both" else (arguments.plan,):
            with tempfile.TemporaryDirectory() as folder:
                async with running_stack(server.client, Path(folder)) as stack:
                    lived.append(await live(stack, plan, DAYS[arguments.years]))
    sys.stdout.writelines(f"{each}\n" for each in lived)
    return 0 if all(each.clean for each in lived) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
