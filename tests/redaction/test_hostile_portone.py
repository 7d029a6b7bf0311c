"""A hostile PG behind the whole product: what it echoes of a card is in no history, row, answer, log or metric."""

import asyncio
import logging

import pytest
from prometheus_client import generate_latest
from sqlalchemy import select

from billing.ledger.tables import metadata
from billing.portone import echoes, text
from tests.api.requests import CUSTOMER, new_uid
from tests.hostile import CARD, FORMS, leaks, needles
from tests.hostile_portone import HostilePortOne
from tests.stack import running_stack


async def with_card(stack, path, **more):
    """Ask for something with the card; answers what was said, whatever it was."""
    body = {"card": CARD, "customer": CUSTOMER, **more}
    if path == "/v1/subscriptions":
        plan = {"name": "월간 이용권", "amount": 9900, "interval": "month"}
        body = {"customer": CUSTOMER, "plan": plan, "payment_method": {"card": CARD}, **more}
    return await stack.api.post(path, json=body)


async def driven(stack, hostile, times):
    """Keys, payments and a subscription, accepted, refused and answered with garbage."""
    answers = []
    for refuse in [False] * times + [True] * times:
        hostile.refuse = refuse
        answers += await asyncio.gather(
            with_card(stack, "/v1/billing-keys", customer_uid=new_uid()),
            with_card(stack, "/v1/payments", amount=12000, name="단건 결제"),
            with_card(stack, "/v1/payments", amount=12000, name="단건 결제"),
        )
    hostile.refuse = False
    uid = new_uid()
    answers.append(await with_card(stack, "/v1/subscriptions", customer_uid=uid))
    stack.quick()
    hostile.garbage = True
    answers.append(await with_card(stack, "/v1/payments", amount=12000, name="단건 결제"))
    numbers = [answer.json()["merchant_uid"] for answer in answers if "merchant_uid" in answer.json()]
    for path in [f"/v1/subscriptions/{uid}{part}" for part in ("", "/charges", "/timeline")] + [
        *(f"/v1/payments/{number}" for number in numbers), "/v1/events", "/v1/webhooks", "/v1/parked", "/metrics",
    ]:  # fmt: skip
        answers.append(await stack.api.get(path))
    return answers


async def everywhere(stack, tmp_path, answers, caplog):
    """All that this product wrote or said, by place."""
    found = {f"answer {n}": f"{a.status_code} {dict(a.headers)} {a.text}" for n, a in enumerate(answers)}
    found |= {"log": caplog.text, "metrics": generate_latest().decode()}
    async for run in stack.temporal.list_workflows(f'TaskQueue = "{stack.task_queue}"'):
        history = await stack.temporal.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        found[f"history {run.id}"] = b"".join(event.SerializeToString() for event in history.events)
    async with stack.ledger.engine.connect() as connection:
        for table in metadata.sorted_tables:
            rows = (await connection.execute(select(table))).all()
            found[f"table {table.name}"] = "\n".join(repr(tuple(row)) for row in rows)
    found |= {f"file {path.name}": path.read_bytes() for path in tmp_path.glob("ledger.db*")}
    return found


async def drive(dev_server, tmp_path, caplog, times):
    caplog.set_level(logging.DEBUG)
    hostile = None

    def around(app):
        nonlocal hostile
        hostile = HostilePortOne(app)
        return hostile

    async with running_stack(dev_server.client, tmp_path, around=around) as stack:
        answers = await driven(stack, hostile, times)
        places = await everywhere(stack, tmp_path, answers, caplog)
    return hostile, answers, places


async def test_no_echo_of_a_hostile_pg_is_found_anywhere(dev_server, tmp_path, caplog, record_property):
    hostile, answers, places = await drive(dev_server, tmp_path, caplog, times=3)
    found = leaks(places)
    counted = f"{len(hostile.echoed)} forms in {len(hostile.places)} places of answers, {len(needles())} needles"
    record_property("counted", f"hostile PG, whole product: {counted}, {len(places)} haystacks, {len(found)} leaks")
    assert found == []
    assert hostile.echoed == {form.name for form in FORMS}, "every form was answered"
    statuses = [answer.status_code for answer in answers]
    assert {201, 402} <= set(statuses), statuses
    assert not [status for status in statuses if status >= 500], statuses
    assert {place.split()[0] for place in places} == {"answer", "log", "metrics", "history", "table", "file"}
    assert any("F113" in str(content) for place, content in places.items() if place.startswith("answer")), (
        "what is no card is told: the PG's code"
    )


async def test_an_echo_that_is_let_through_is_found(dev_server, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(echoes.Echoes, "holds", lambda _self, _text: False)
    monkeypatch.setattr(text, "_may_hold_a_card", lambda _text: False)
    monkeypatch.setattr(text, "_of_digits", lambda found, _echoes: found[0])
    _, _, places = await drive(dev_server, tmp_path, caplog, times=1)
    assert {"answer", "history", "table", "file"} <= {place.split()[0] for place, _ in leaks(places)}


@pytest.mark.parametrize("place", ["history", "table", "answer"])
def test_a_planted_needle_is_found_in_bytes_and_in_text(place):
    planted = {f"{place} 1": f"x{CARD['card_number']}y".encode(), f"{place} 2": 'x"pwd_2digit": "73"y'}
    assert {found for found, _ in leaks(planted)} == set(planted)
