"""docs/reference/chaos.md, written from the fault harness itself and from the newest reports that were kept."""

import json
from pathlib import Path
from typing import Any

from chaos.coverage import PLANNED_OFTEN, SHARE
from chaos.faults import MISHAPS, POINTS, STEPS, WHERE, every_pair, every_pair_of_processes
from chaos.invariants import CHECKS, SLA
from chaos.machine.world import QUIET_DAYS as DRAWN_QUIET_DAYS
from chaos.plan import MOST_TRIES, PAIRS_A_LIFE, PAIRS_A_LIFE_OF_ALL
from chaos.processes.mishaps import BLOWS
from chaos.rounds import QUIET_DAYS
from chaos.stories import STORIES
from chaos.tiers import TIERS

REPORTS = Path(__file__).parent / "reports"

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
$ gudok chaos every-event --every 20      # one life, its worker killed and its run continued as new at each 20th point
$ gudok chaos run --clean                # nothing goes wrong: the harness against itself
$ gudok chaos run --pair 'dunning:five minutes late:webhook lost'
$ gudok chaos run --tier nightly         # smoke, nightly or soak; four rounds at once on two cores, --jobs
$ gudok chaos run --tier nightly --resume                       # go on after the rounds that were lived
$ gudok chaos run --seed 57 --again chaos-report.json --report again.json     # that round once more
$ gudok chaos processes --minutes 15     # the same lives in real processes, on SQLite or --database postgresql
```

Exit code 1 says that a promise is broken; 3 that the run is invalid: too little went wrong for it to prove anything.

## Stories

Each is a product of its own, and a promise that must outlive what happens.

| Story | What happens | The promise |
|---|---|---|
"""

_ROUNDS = f"""
## Rounds

A round is some subscribers (12 unless `--subscribers` says another number), each with {PAIRS_A_LIFE} pairs of mishaps
at as many steps of their life. There are {len(every_pair()):,} ordered pairs; the rounds of the seeds 0, 1, 2 …
take them in turn. Each round is a process, with a Temporal of its own; what it came to is kept beside the report, and
a run that was cut off goes on after it, unless the code is another one. Half of the lives are hasty: the next command
comes while a call may still be on its way.
Some rounds have a PortOne that does not refuse to charge an order number twice, some a worker that keeps no run in
memory.

```mermaid
flowchart LR
  H["harness: journal, own calendar"] -->|HTTP| A1["api"] & A2["api 2"]
  H -->|clock, faults, books| E["PortOne (emulator)"]
  H -->|"kill -9, stop, continue"| P(("processes"))
  A1 & A2 <--> T["Temporal, its file"]
  W1["worker"] & W2["worker 2"] <--> T
  W3["worker 3, of the version before, or the next"] <--> T
  W1 & W2 & W3 -->|proxy: cut, swallowed, slow| E
  E -->|webhooks, proxy: cut| A1 & A2
  W1 & W2 & W3 & A1 & A2 -->|proxy: away; or locked, full| D[("SQLite or PostgreSQL")]
  J{{"judgement: one library"}} --> D & E & T & H
```

1. **Safety**: everybody lives, and things go wrong.
2. **Liveness**: every fault is taken back; {QUIET_DAYS} days pass, and PortOne, ledger and runs are compared twice.
3. **Judgement**: PortOne's books, the ledger, the lists that a person reads, the harness's own journal and its own
   calendar are held against each other.

What is broken is told with seed, subscription, period and everything that all books say of it, by time.
A run is invalid where a mishap that was planned {PLANNED_OFTEN} times or more struck in less than one of {SHARE}, where
something that was to happen to processes never did, or, in a tier, where a mishap struck less often than its floor.
`chaos-report.json` has faults by kind, kill points, webhooks by disposition, lateness, pairs planned and covered,
charges, deploys, ways back, histories made and replayed, and what was double, lost, late or leaked, with the
bound 3/N under which double charges lie with 95 % where there was none.

| Step | What can strike |
|---|---|
"""


_PROCESSES = f"""
## Drawn lives

`tests/chaos/machine.py` lets Hypothesis draw terms (trials, fixed terms, consent, dunning), commands, refunds, mishaps,
acts in the console, runs that an operator ends, and the passing of time, in any order, for two customers. The workflows
are the real ones, whole; Temporal, PortOne and the ledger are plain Python in virtual time (`chaos/machine/`): no
process, no socket, no thread, so that some twenty lives pass in a second and each is the same the next time. Any call
may fail before it is done, after it, or be carried out up to nine minutes late; any look may fail, or show what was
true two minutes ago; webhooks are lost, late or doubled. Once nothing fails any more and {DRAWN_QUIET_DAYS} days have
passed, the library of `gudok audit` judges; a broken promise is made as small as it goes, and told with all that
happened. `make test` draws 150 lives, `make soak` 1,500. What Temporal itself does, histories, replays and lost
workers, is tried on the real one by the rounds.

## Processes

`gudok chaos processes` lets the same lives be lived in real processes: a Temporal dev server with its file, three
workers, two apis and the emulator, with proxies in between. Each life has {PAIRS_A_LIFE} pairs of a kill point with
another one or with a mishap, {len(every_pair_of_processes()):,} in all; and one blow after the other falls on all of
them. A kill point is one of the fail points below: `GUDOK_FAIL_POINTS` names a folder, a file of it arms one point once
for one customer, and the process that comes there dies, or stands still for some seconds. Without the variable, and in
production mode always, nothing can be armed and nothing is looked for.

| Kill point | Fail point |
|---|---|
"""

_DEPLOYS = """
### Deploys

Every worker has a version. Two are of the one that is current, the third is of the one before it, for what is pinned
there and for the way back. A deploy waits until nothing is pinned to that third one, starts it anew as the next
version, gives it a share, makes it current, and takes a second worker along; one api is started anew, and the other one
stays as it was. A way back makes the version before current again. The first version is the product as it is. The
next ones have a further step in the subscription's workflow, under a patch: one that knows the patch and does not take
it, then one that takes it, and so on. So there is always a way back as the [runbook](../runbooks/deploy.md) has it, and
none is tried that it does not have: to a version that does not know what a later one has taken. The api says nothing
of versions, and the same code serves before and after.

In the end the history of every run in the namespace, open or closed, each of a chain, is replayed on the code of every
version that was given work; only where the patch was taken not on the product's own, to which nobody goes back then.
One that does not replay breaks the promise, and so does a task that failed on a version whose code could not replay it.

```console
$ gudok chaos processes --subscribers 1 --blow rollback --careless   # the same step without a patch: must be broken
```

The wall clock of a worker and of an api may be off by minutes: every place of the product that reads one asks the same
class for the time, which is another one in such a process. The clocks of PortOne, Temporal and the database stay.
"""


_STANDS = """
## Which promise is judged where

What the books say by themselves is judged by one library, in production (`gudok audit`), here and in the tests:
[invariants](invariants.md). The harness adds what only it can know: by its journal, and by its own calendar.

| Promise | In the library | In the harness alone |
|---|---|---|
"""


_JUDGED = (
    (
        "at most one charge a period, whatever the order numbers",
        "`paid_at_most_once`, `paid_by_one_order`",
        "started once (many starts at once)",
    ),
    ("exactly one fate, nothing due that no list shows", "`one_fate`, `nothing_due_unlisted`", "no period lost"),
    ("the books agree, refunds too", "`books_agree`", "nothing unexpected kept"),
    (
        "nothing after the end, by anybody",
        "`no_charge_after_cancel`, `no_charge_on_an_ended_key`, `nothing_left_scheduled`",
        "nothing ends unasked",
    ),
    ("paid as ordered", "`paid_as_ordered`", ""),
    ("cards are not hammered", "`cards_not_hammered`", ""),
    ("refunds within what was paid, each once", "`refunded_at_most_once`", ""),
    ("the right key", "`right_key`", "no charge on a replaced key"),
    ("what was acknowledged is kept and true", "`acknowledged_is_kept`", "answers stay true, commands are heard"),
    ("webhooks are accounted for", "`webhooks_accounted`", "ours is not called foreign"),
    ("histories are bounded", "`runs_bounded`", "histories are bounded (by what has happened)"),
    (
        "no card data anywhere",
        "`no_card_data`: over the ledger; of processes over Temporal's file and the logs too",
        "",
    ),
    ("nothing forged is believed", "`authentic`: where a journal of strangers is brought", ""),
    ("only known routes", "`known_routes`: in rounds", ""),
    ("the calendar", "`in_turn`", "never early"),
    ("no input breaks anything", "`no_input_breaks`: likewise; `amounts_in_bounds`", ""),
    ("everything rests once faults end", "`rests_after_faults`: likewise", "comes to rest"),
    ("tokens are kept", "`tokens_kept`: likewise", ""),
    (
        "every history replays",
        "`replays`: by `gudok replay` and the tests of `tests/replay`",
        "every history replays, every task is carried (of processes, on each version)",
    ),
    ("every state is told", "`every_state_told`", ""),
    ("no stray run", "`no_run_astray`", ""),
    ("the database's file is whole", "`database_whole`", ""),
)
"""Each promise, what the library judges it by, and what the harness adds."""


def chaos_page() -> str:
    """The whole page: stories, rounds, mishaps, processes, invariants, and what the newest runs came to."""
    stories = "".join(f"| `{story.name}` | {_sentence(story.tell)} | {story.promise} |\n" for story in STORIES)
    steps = "".join(f"| {step} | {', '.join(WHERE[where] for where in met)} |\n" for step, met in STEPS.items())
    mishaps = "".join(
        f"| {name} | {WHERE[mishap.where]} | `{_rule(mishap.rule)}` |\n" for name, mishap in MISHAPS.items()
    )
    return (
        f"{_HEAD}{stories}{_ROUNDS}{steps}"
        "\n| Mishap | Strikes | Rule of the [emulator](faults.md), or act |\n|---|---|---|\n"
        f"{mishaps}{_tiers()}{_PROCESSES}{_points()}{_DEPLOYS}{_STANDS}{_promises()}{_judged()}{_came_to()}"
    )


def _tiers() -> str:
    rows = "".join(
        f"| {name} | {one.rounds} | {one.subscribers} | {one.periods} | {one.charges or ''} | {one.floor or ''} |\n"
        for name, one in TIERS.items()
    )
    head = "| Tier | Rounds | Subscribers in each | Periods of a life that goes on | Charges at least | Floor |\n"
    every = ", ".join(f"`{name}`" for name, one in TIERS.items() if one.every_pair)
    return (
        f"\n## Tiers\n\n{head}|---|---|---|---|---|---|\n{rows}"
        f"\nAfter its rounds {every} goes on with shorter lives until every pair was covered: "
        f"{PAIRS_A_LIFE_OF_ALL} pairs a life, and\n"
        f"one that met no call of its step is planned again, up to {MOST_TRIES} times.\n"
    )


def _promises() -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in _JUDGED)


def _points() -> str:
    points = "".join(
        f"| {name} | `{mishap.rule['point']}`, {mishap.rule['act']} |\n" for name, mishap in POINTS.items()
    )
    blows = "".join(
        f"| {name} | {blow.tells} | {', '.join(sorted(blow.databases))} |\n" for name, blow in BLOWS.items()
    )
    return f"{points}\n| Blow | What happens | With |\n|---|---|---|\n{blows}"


def _judged() -> str:
    checks = "".join(f"| {name} | {_sentence(check)} |\n" for name, check in CHECKS.items())
    return (
        f"\nA period may be {SLA.days} days behind its day; one that is paid late keeps its days.\n"
        "What is parked counts as named; what reconciliation found counts only where something\n"
        f"outlasted the quiet window, or an operator ended the run.\n\n| In the harness alone | In words |\n"
        f"|---|---|\n{checks}"
    )


def _came_to() -> str:
    """What the newest runs came to whose reports were kept; and where their pairs lie."""
    reports = {path.stem: json.loads(path.read_text()) for path in sorted(REPORTS.glob("*.json"))}
    if not reports:
        return ""
    rows = "".join(_row(name, report) for name, report in reports.items())
    return (
        "\n## What the newest runs came to\n\nThe reports are in `docs/reports/`; each says how it is made again.\n\n"
        "| Run | Verdict | Subscriptions | Charges | Double | Lost | Late | Leaked | 3/N | p50, p99, max late | Pairs "
        "| Deploys, back | Histories |\n"
        f"|---|---|---|---|---|---|---|---|---|---|---|---|---|\n{rows}{''.join(map(_picture, reports.items()))}"
    )


def _row(name: str, report: dict[str, Any]) -> str:
    late, bound, pairs = report["lateness_seconds"] or {}, report["double_charge_upper_95"], report["pairs"]
    cells = (
        f"`{name}`",
        report["verdict"],
        report["subscriptions"],
        report["charges"],
        *(report[what] for what in ("double", "lost", "late", "leaked")),
        f"{bound:.1e}" if bound else "",
        ", ".join(f"{late[what]:,.0f} s" for what in ("p50", "p99", "max") if what in late),
        f"{pairs['covered']} of {pairs['planned']} planned, {pairs['of']} in all",
        *_versions(report),
    )
    return f"| {' | '.join(str(cell) for cell in cells)} |\n"


def _versions(report: dict[str, Any]) -> tuple[str, str]:
    """Deploys and ways back, and the histories that were replayed; nothing of a run that deploys nothing."""
    deploys, histories = report.get("deploys", {}), report.get("histories", {})
    if not histories.get("made"):
        return "", ""
    went = f"{deploys['deploys']}, {deploys['rollbacks']} back; {deploys['at_once']} times two versions at once"
    return went, f"{histories['replayed']} of {histories['made']} replay"


def _picture(named: tuple[str, dict[str, Any]]) -> str:
    name, report = named
    steps = report["pairs"]["by_step"]
    names = ", ".join(f'"{step}"' for step in steps)
    planned, covered = ([counts[what] for counts in steps.values()] for what in ("planned", "covered"))
    hooks = ", ".join(f"{count} {what}" for what, count in report["webhooks_by_disposition"].items())
    return (
        f"\n`{name}`: `{report['reproduce']}`; {report['wall_seconds']:,} s for {report['virtual_days']:,} days; "
        f"webhooks: {hooks}.\n\n```mermaid\nxychart-beta\n"
        f'  title "{name}: pairs planned (bars) and covered (line), by the step of a life"\n'
        f'  x-axis [{names}]\n  y-axis "pairs" 0 --> {max(planned, default=1)}\n'
        f"  bar {planned}\n  line {covered}\n```\n"
    )


def _sentence(told: object) -> str:
    return " ".join((told.__doc__ or "").split())


def _rule(rule: object) -> str:
    assert isinstance(rule, dict)  # noqa: S101 - every mishap's rule is one
    return ", ".join(f"{name}={value}" for name, value in rule.items())
