"""docs/reference/mutants.md, written from the list of mutants itself."""

from chaos.mutants.catalogue import MUTANTS

_HEAD = """\
# Mutants

<!-- Written by docs/generate.py from chaos/mutants/; change it there. -->

A test that cannot fail proves nothing.
Each of these breaks the product in one small place; each is noticed by the test that stands beside it, which looks at
what the product does: no recorded history that differs, and no test of the one function that was broken.

```console
$ gudok chaos mutants                       # each on a copy of the checkout, its catcher alone; the list is kept
$ gudok chaos mutants amount-not-compared
$ gudok chaos mutants --check               # whether each still fits the code, and its catcher is in `make test`
```

`caught`: its catcher fails. `alive`: nothing notices it. `stale`: the code has moved, or the catcher was renamed.
`untold`: its catcher did not run, or fails in the unbroken tree too. Exit code 1 says that one is not caught.
`mutants-report.json` has each with the seconds that it took and the words of the test that failed.
M1 to M16 are the sabotages that a checker of recurring charges has to notice.

| | Mutant | What it breaks | Where | Caught by |
|---|---|---|---|---|
"""


def mutants_page() -> str:
    """Every mutant with what it breaks and its catcher."""
    return _HEAD + "".join(
        f"| {each.classic or ''} | `{each.name}` | {each.breaks} | `{each.file}` | `{each.caught_by}` |\n"
        for each in MUTANTS
    )
