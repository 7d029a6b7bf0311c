"""The emulator's switches and operations: docs/reference/emulator-switches.md and emulator-operations.md."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Literal, get_args, get_origin

from billing.emulator.app import SERVED
from billing.emulator.operations import EXCEPTIONS, OPERATIONS
from billing.emulator.product_order_steps import MERCHANT_STEPS, OUTSIDE_STEPS, Step
from billing.emulator.routes.unserved import NOT_SERVED
from billing.emulator.settings import EmulatorSettings, Family, source_of, switches, switches_as

_OPERATIONS = """\
# PortOne's operations at the emulator

<!-- Written by docs/generate.py from billing/emulator/operations.py and the emulator's routes; change it there. -->

Of the {all} operations of PortOne's V1 schema the emulator serves {served}. The others answer those who have a token \
with HTTP {status} and code -1 in PortOne's envelope, by name: `{message}`.

Statuses are those that the schema lists; where that has no 400, bad parameters are answered with 200 and code 1. \
Beside them there are:

{exceptions}
| Operation | Does | Statuses | Served |
|---|---|---|---|
{rows}
## Naver Pay's product orders

A payment by the order type (`pg: "naverco"`) has a product order for each option and each supplement of \
`naverProducts`. It moves by the operations of the merchant, and by what others do: \
`POST /emulator/product-orders/{{product_order_id}}` `{{"act": "deliver"}}`, which answers the product order, 404, or \
409 in no state for that. Whoever is refused changes nothing.

| By | Act | Fits | Makes it | Refunds |
|---|---|---|---|---|
{steps}
The statuses and claims are those of PortOne's schema, which does not say what may be done when. The emulator's \
answers to that:

- A product order has one open claim at most, and while it has one nothing else is done to it.
- `ship` takes an order on that `place` did not. A buyer's cancel needs consent only once the order is taken on.
- PortOne has no approval of an exchange: what the buyer asked for may be collected.
- Each product order is tried apart: HTTP 207 with those that moved, 500 and code -1 where none did, also for a \
`product_order_id` that is not the payment's. Without one, all are meant.
- A payment that is not of the order type, or was never paid, is 404.
- A refund is the product order's price, with the last one of a payment all that is left of it; never more than is \
left. The buyer's own is told by a webhook, the merchant's is not. `POST /payments/cancel` moves \
money and no product order.
- The buyer pays the window's `amount`, at once: no delivery fee is added (`delivery_amount` is 0), and nobody waits \
for a transfer (`PAYMENT_WAITING`). PortOne learns of an approval within a minute, and calls no callback then; the \
emulator's window tells the page as any other does.
- `{{"act": "review"}}`, with `review_type`, `score`, `title` and `content`, writes what `GET /naver/reviews` lists, \
once the purchase is decided. `channel_key` is not looked at there: older clients send none.
"""


def _steps() -> Iterable[str]:
    """A row for each step of a product order."""
    for who, table in (("merchant", MERCHANT_STEPS), ("others", OUTSIDE_STEPS)):
        for act, steps in table.items():
            for step in steps:
                yield f"| {who} | `{act}` | {_fits(step)} | {_makes(step)} | {'yes' if step.refunds else ''} |\n"


def _fits(step: Step) -> str:
    begins = " or ".join(f"`{one}`" for one in sorted(step.claims or step.statuses))
    marks = ((step.placed, "taken on"), (step.withheld, "withheld"))
    flags = [mark if is_so else f"not {mark}" for is_so, mark in marks if is_so is not None]
    return ", ".join([f"`{step.claim_type}` at {begins}" if step.claim_type else begins, *flags])


def _makes(step: Step) -> str:
    named = [f"`{step.to[name]}`" for name in ("product_order_status", "claim_type", "claim_status") if name in step.to]
    marks = {"placed": "taken on", "withheld": "withheld"}
    flags = [text if step.to[name] else f"not {text}" for name, text in marks.items() if name in step.to]
    # A claim that begins was not withheld before either.
    return ", ".join([" ".join(named)] * bool(named) + ([] if step.to.get("claim_type") else flags))


def operations_page() -> str:
    """docs/reference/emulator-operations.md, one row for each operation of PortOne's V1 schema."""
    served = ["yes" if (one.method, one.path) in SERVED else "no" for one in OPERATIONS]
    rows = (
        f"| `{one.method} {one.path}` | {one.does} | {', '.join(map(str, sorted(one.statuses)))} | {is_served} |\n"
        for one, is_served in zip(OPERATIONS, served, strict=True)
    )
    exceptions = (
        f"- {status} of {'every operation' if method == '*' else f'`{method} {path}`'}: {source}\n"
        for (method, path, status), source in EXCEPTIONS.items()
    )
    return _OPERATIONS.format(
        all=len(OPERATIONS), served=served.count("yes"), status=int(HTTPStatus.NOT_IMPLEMENTED),
        message=NOT_SERVED.format(method="POST", path="/cvs"), exceptions="".join(exceptions), rows="".join(rows),
        steps="".join(_steps()),
    )  # fmt: skip


_SWITCHES = """\
# The emulator's switches

<!-- Written by docs/generate.py from billing/emulator/settings.py; change it there. -->

What PortOne's sources leave open, or contradict each other in, is a switch: \
`gudok emulator --switch past_schedule=run`, `EmulatorSettings(past_schedule="run")`, or \
a setting of `POST /emulator/reset`. \
The default is bold.

`--as seen` follows what clients and their own test suites have seen, `--as schema` follows PortOne's V1 schema to the \
letter (`{"as": "seen"}` at a reset and in the pytest fixture's options); a switch given beside it wins. \
Without either, the last column says whom each default follows.

| Switch | Values | Decides | `--as seen` | `--as schema` | The default follows |
|---|---|---|---|---|---|
"""


def switches_page() -> str:
    """docs/reference/emulator-switches.md, one row for each switch."""
    seen, schema = (switches_as(family) for family in Family)
    rows = (
        f"| `{name}` | {_values(name, default)} | {meaning} | {_cell(seen, name)} | {_cell(schema, name)} "
        f"| {source_of(name)} |\n"
        for name, (default, meaning) in switches().items()
    )
    return _SWITCHES + "".join(rows)


def _values(name: str, default: object) -> str:
    kind = EmulatorSettings.model_fields[name].annotation
    others = [True, False] if kind is bool else get_args(kind) if get_origin(kind) is Literal else ["…"]
    return ", ".join([f"**`{_text(default)}`**", *(f"`{_text(one)}`" for one in others if one != default)])


def _cell(family: dict[str, Any], name: str) -> str:
    return f"`{_text(family[name])}`" if name in family else ""


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
