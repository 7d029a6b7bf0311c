"""What the ledger is asked about is written there first: a subscription notes its writes, and sends them later."""

import ast
from pathlib import Path

WORKFLOWS = Path(__file__).parents[2] / "workflows"
SENT = "await record(recording)"


def asked_too_early(source):
    """The functions of a module of a subscription's run that ask the ledger before what is noted has been sent."""
    tree = ast.parse(source)
    imported = {each.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for each in node.names}
    if "Recording" not in imported:
        return []
    early = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            asked = [line for line in map(_asks, ast.walk(node)) if line is not None]
            sent = [each.lineno for each in ast.walk(node) if isinstance(each, ast.Await) and ast.unparse(each) == SENT]
            if asked and not (sent and min(sent) < min(asked)):
                early.append(node.name)
    return early


def _asks(node):
    names = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    asks = names and node.value.id == "LedgerActivities" and node.attr != "record"
    return node.lineno if asks else None


def test_a_subscription_asks_the_ledger_of_nothing_that_it_has_not_sent_there():
    early = {str(path): names for path in WORKFLOWS.rglob("*.py") if (names := asked_too_early(path.read_text()))}
    assert early == {}


def test_who_asks_first_and_sends_afterwards_is_told():
    asks = "from x import Recording\nasync def count(recording):\n    {}\n"
    ask = "await execute(LedgerActivities.attempts_on_card, 'key')"
    assert asked_too_early(asks.format(ask)) == ["count"]
    assert asked_too_early(asks.format(f"{ask}\n    {SENT}")) == ["count"]
    assert asked_too_early(asks.format(f"{SENT}\n    {ask}")) == []
