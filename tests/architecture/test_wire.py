"""What crosses between processes leaves out the fields that hold nothing, so a field that is missing must mean None."""

import dataclasses
import typing
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import NoneType
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio import activity, workflow

from billing.domain.calendar import Interval, IntervalUnit
from billing.domain.consent import ConsentNeed
from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.domain.records import ChargeResult, LedgerEntry, PendingChange
from billing.domain.states import CycleState
from billing.temporal import DATA_CONVERTER
from worker import WORKFLOWS
from workflows import ports
from workflows.contracts import PaymentSettled

Field = tuple[Any, Any]
"""The type of a field, and its default; `...` where it has none."""


def signatures() -> Iterator[Callable[..., Any]]:
    """Everything that Temporal calls by name: activities, workflows, and their signals, updates and queries."""
    for port in vars(ports).values():
        for each in vars(port).values() if isinstance(port, type) else ():
            if callable(each) and activity._Definition.from_callable(each) is not None:
                yield each
    for each in WORKFLOWS:
        definition = workflow._Definition.must_from_class(each)
        yield definition.run_fn
        handlers = (*definition.signals.values(), *definition.updates.values(), *definition.queries.values())
        yield from (handler.fn for handler in handlers)


def fields_of(kind: Any) -> dict[str, Field]:
    """The fields of a record or a message."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return {each.name: (hints[each.name], _default(each)) for each in dataclasses.fields(kind)}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {
            name: (
                each.rebuild_annotation(),
                ... if each.is_required() else each.get_default(call_default_factory=True),
            )
            for name, each in kind.model_fields.items()
        }
    return {}


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return ... if field.default is dataclasses.MISSING else field.default


def crossing() -> set[type]:
    """Every record and message that crosses, however deep in another one."""
    found: set[type] = set()
    waiting = [kind for each in signatures() for kind in typing.get_type_hints(each).values()]
    while waiting:
        kind = waiting.pop()
        waiting += typing.get_args(kind)
        if (fields := fields_of(kind)) and kind not in found:
            found.add(kind)
            waiting += [each for each, _ in fields.values()]
    return found


def may_be_none(kind: Any) -> bool:
    return kind is NoneType or NoneType in typing.get_args(kind)


@pytest.mark.parametrize("kind", sorted(crossing(), key=lambda kind: kind.__qualname__), ids=lambda kind: kind.__name__)
def test_a_field_that_may_hold_nothing_holds_nothing_where_it_is_missing(kind):
    wrong = [name for name, (of, default) in fields_of(kind).items() if may_be_none(of) and default is not None]
    assert wrong == []


def test_a_field_of_a_mapping_that_holds_nothing_is_kept():
    # Of what a buyer is shown, and what an event says, nothing is left out.
    converter = DATA_CONVERTER.payload_converter
    (payload,) = converter.to_payloads([{"coupon": None, "balance": 0}])
    assert converter.from_payload(payload) == {"coupon": None, "balance": 0}


def test_nothing_that_crosses_is_overlooked():
    assert len(crossing()) > 100
    assert ConsentNeed in crossing()


def test_what_holds_nothing_is_left_out_of_records_and_messages_alike():
    row = PendingChange(PlanTerms("이용권", Money(9900), Interval(IntervalUnit.MONTH)))
    entry = LedgerEntry(results=(ChargeResult("order", CycleState.PAID, datetime(2026, 3, 1, tzinfo=UTC)),))
    converter = DATA_CONVERTER.payload_converter
    payloads = converter.to_payloads([row, entry, PaymentSettled(merchant_uid="order", state=CycleState.PAID)])
    assert [b"null" in each.data for each in payloads] == [False, False, False]
    assert converter.from_payloads(payloads[:2], [PendingChange, LedgerEntry]) == [row, entry]
