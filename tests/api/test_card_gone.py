"""A card that is no longer in the vault: PortOne was not asked, nobody declined anything, and it may be sent again."""

import dataclasses

import pytest
from sqlalchemy import delete

from billing.ledger.tables import card_vault
from tests.api.requests import CARD, key_body, payment_body, subscription_body, won

KEY = {"Idempotency-Key": "order-1"}
TRIAL = {"name": "월간 이용권", "amount": 9900, "interval": "month", "trial_days": 14}


class Losing:
    """A vault that loses every card before it is asked for."""

    def __init__(self, vault, engine):
        self._vault, self._engine = vault, engine

    async def seal(self, card, at):
        handle = await self._vault.seal(card, at)
        async with self._engine.begin() as connection:
            await connection.execute(delete(card_vault).where(card_vault.c.handle == handle))
        return handle

    async def discard(self, handle):
        await self._vault.discard(handle)


def other_key(stack):
    return stack.ledger.card_vault([b"k" * 32])


def expired(stack):
    return stack.ledger.card_vault(stack.settings.vault_keys(), ttl_minutes=0)


def lost(stack):
    return Losing(stack.app.state.desk.vault, stack.ledger.engine)


@pytest.fixture
def asked(stack):
    """The calls at PortOne that carry a card or charge."""
    account, calls = stack.account(), []
    perform = account.perform

    async def noted(request, path, work, **options):
        if path in ("onetime", "customers", "schedule", "again"):
            calls.append(path)
        return await perform(request, path, work, **options)

    account.perform = noted
    return calls


async def start(_stack):
    return "/v1/subscriptions", subscription_body(), 201


async def start_with_a_trial(_stack):
    return "/v1/subscriptions", {**subscription_body(), "plan": TRIAL}, 201


async def payment(_stack):
    return "/v1/payments", payment_body(), 201


async def billing_key(_stack):
    return "/v1/billing-keys", key_body(), 201


async def another_card(stack):
    uid = await stack.start()
    await stack.settled(uid)
    return f"/v1/subscriptions/{uid}/payment-method", {"payment_method": {"card": CARD}}, 200


ways = [
    (start, other_key),
    pytest.param(start_with_a_trial, other_key, marks=pytest.mark.soak),
    pytest.param(payment, other_key, marks=pytest.mark.soak),
    (billing_key, other_key),
    pytest.param(another_card, other_key, marks=pytest.mark.soak),
    (start, expired),
    (payment, lost),
]


@pytest.mark.parametrize(("request_of", "vault_of"), ways)
async def test_a_card_that_is_gone_is_no_decline_and_the_same_request_does_it_once_the_card_is_there(
    stack, asked, request_of, vault_of
):
    path, body, done = await request_of(stack)
    events = len(await all_events(stack))
    asked.clear()
    desk = stack.app.state.desk
    stack.app.state.desk = dataclasses.replace(desk, vault=vault_of(stack))
    gone = await stack.api.post(path, json=body, headers=KEY)
    assert (gone.status_code, gone.json()["code"]) == (503, "card_gone"), gone.text
    assert "PortOne was not asked" in gone.json()["detail"]
    assert asked == []
    told = [each["type"] for each in (await all_events(stack))[events:]]
    assert not {"charge.declined", "payment_method.refused"} & set(told)
    stack.app.state.desk = desk
    again = await stack.api.post(path, json=body, headers=KEY)
    assert (again.status_code, again.headers.get("idempotent-replayed")) == (done, None), again.text
    assert won((await stack.emulator.get("/emulator/books")).json()["totals"])["charged_twice"] == []


async def test_a_start_whose_card_is_gone_ends_without_a_decline(stack):
    body = subscription_body()
    desk = stack.app.state.desk
    stack.app.state.desk = dataclasses.replace(desk, vault=other_key(stack))
    assert (await stack.api.post("/v1/subscriptions", json=body)).status_code == 503
    shown = await stack.subscription(body["customer_uid"])
    assert (shown["status"], shown["cycle"]["failed_attempts"]) == ("incomplete_expired", 0)
    [charge] = await stack.charges(body["customer_uid"])
    assert charge["state"] == "skipped"
    assert await stack.events(body["customer_uid"]) == ["subscription.created", "subscription.start_failed"]


async def test_a_card_whose_first_sending_may_have_become_a_key_is_not_called_unasked(stack):
    """The answer to the first sending is lost, and the card is gone before the second."""
    body = key_body()
    await stack.fault(kind="execute_late", path="customers", seconds=3600)

    account, perform = stack.account(), stack.account().perform

    async def losing(request, path, work, **options):
        if path == "customers":
            async with stack.ledger.engine.begin() as connection:
                await connection.execute(delete(card_vault))
        return await perform(request, path, work, **options)

    account.perform = losing
    answer = await stack.api.post("/v1/billing-keys", json=body)
    assert (answer.status_code, answer.json()["code"]) == (503, "billing_key_unknown"), answer.text


async def all_events(stack):
    return (await stack.api.get("/v1/events", params={"limit": 200})).json()["events"]
