"""docs/reference/chaos.md, written from the fault harness itself."""

from chaos.expected import GRACE
from chaos.faults import MISHAPS, STEPS, WHERE, every_pair
from chaos.invariants import CHECKS, SLA
from chaos.rounds import PAIRS_A_LIFE, QUIET_DAYS
from chaos.stories import STORIES

_HEAD = """\
# The fault harness

<!-- Written by docs/generate.py from chaos/; change it there. -->

Two things go wrong at once, on the real parts: workflows, worker, api, ledger, emulator and a Temporal dev server in
one process, each subscriber on a clock of their own. It asks over HTTP, through the emulator's control, and as an
operator through Temporal; it knows nothing of the inside. It stands in the checkout, not in what is installed.

```console
$ gudok chaos stories                    # every story below: kept, or broken and what came instead
$ gudok chaos stories late-unschedule --verbose
$ gudok chaos run --seed 7 --rounds 3    # lives drawn at random, mishaps in pairs; the same seed draws the same
$ gudok chaos run --clean                # nothing goes wrong: the harness against itself
$ gudok chaos run --pair 'dunning:five minutes late:webhook lost'
```

Exit code 1 says that a promise is broken.

## Stories

Each is a product of its own, and a promise that must outlive what happens.

| Story | What happens | The promise |
|---|---|---|
"""

_ROUNDS = f"""
## Rounds

A round is some subscribers (12 unless `--subscribers` says another number), each with {PAIRS_A_LIFE} pairs of mishaps
at as many steps of their life. There are {len(every_pair()):,} ordered pairs; the rounds of the seeds 0, 1, 2 …
take them in turn. Half of the lives are hasty: the next command comes while a call may still be on its way.
Some rounds have a PortOne that does not refuse to charge an order number twice, some a worker that keeps no run in
memory.

1. **Safety**: everybody lives, and things go wrong.
2. **Liveness**: every fault is taken back; {QUIET_DAYS} days pass, and PortOne, ledger and runs are compared twice.
3. **Judgement**: PortOne's books, the ledger, the lists that a person reads, the harness's own journal and its own
   calendar are held against each other.

What is broken is told with seed, subscription, period and everything that all books say of it, by time.
`chaos-report.json` has faults by kind, pairs covered, charges, and what was double, lost, late or leaked, with the
bound 3/N under which double charges lie with 95 % where there was none.

| Step | What can strike |
|---|---|
"""


def chaos_page() -> str:
    """The whole page: stories, rounds, mishaps, invariants."""
    stories = "".join(f"| `{story.name}` | {_sentence(story.tell)} | {story.promise} |\n" for story in STORIES)
    steps = "".join(f"| {step} | {', '.join(WHERE[where] for where in met)} |\n" for step, met in STEPS.items())
    mishaps = "".join(
        f"| {name} | {WHERE[mishap.where]} | `{_rule(mishap.rule)}` |\n" for name, mishap in MISHAPS.items()
    )
    checks = "".join(f"| {name} | {_sentence(check)} |\n" for name, check in CHECKS.items())
    return (
        f"{_HEAD}{stories}{_ROUNDS}{steps}"
        "\n| Mishap | Strikes | Rule of the [emulator](faults.md), or act |\n|---|---|---|\n"
        f"{mishaps}\n## What is judged\n\n"
        f"A period may be {SLA.days} days behind its day; one that is paid more than {GRACE.days} days late begins on\n"
        "the day it is paid. What is parked counts as named; what reconciliation found counts only where something\n"
        f"outlasted the quiet window, or an operator ended the run.\n\n| Invariant | In words |\n|---|---|\n{checks}"
    )


def _sentence(told: object) -> str:
    return " ".join((told.__doc__ or "").split())


def _rule(rule: object) -> str:
    assert isinstance(rule, dict)  # noqa: S101 - every mishap's rule is one
    return ", ".join(f"{name}={value}" for name, value in rule.items())
