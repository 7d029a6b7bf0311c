"""A record of a subscription's state is assigned by its own module alone, by transitions with a name."""

import ast
from pathlib import Path

from billing.domain.subscription.state import SubscriptionState

ROOT = Path(__file__).parents[2]
RECORDS = set(SubscriptionState.model_fields)
FILES = [path for room in ("workflows", "billing/domain") for path in sorted((ROOT / room).rglob("*.py"))]


def assigned(source):
    """The assignments to a record of the state, or to the state itself, in a module's source."""
    found = []
    for node in ast.walk(ast.parse(source)):
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, (ast.AugAssign, ast.AnnAssign)) else targets
        flat = [each for target in targets for each in (target.elts if isinstance(target, ast.Tuple) else [target])]
        found += [ast.unparse(each) for each in flat if isinstance(each, ast.Attribute) and _is_of_the_state(each)]
    return found


def _is_of_the_state(target):
    chain = ast.unparse(target.value).split(".")
    return chain[-1] == "state" or (len(chain) > 1 and chain[-2] == "state" and chain[-1] in RECORDS)


def test_nobody_but_a_record_assigns_it():
    wrong = {path.relative_to(ROOT).as_posix(): assigned(path.read_text()) for path in FILES}
    assert {path: lines for path, lines in wrong.items() if lines} == {}


def test_the_rule_can_fail():
    assert assigned("subscription.state.period.due_at = now") == ["subscription.state.period.due_at"]
    assert assigned("state.paid.balance += 1") == ["state.paid.balance"]
    assert assigned("a, run.state.pause.since = 1, None") == ["run.state.pause.since"]
    assert assigned("subscription.state.status = other") == ["subscription.state.status"]
    assert assigned("self.due_at = at\nthis.other = 3") == []
