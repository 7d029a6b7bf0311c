"""Billing keys: issued from a card, looked up, deleted; a used customer_uid is mapped to the newest card."""

import uuid
from typing import Any

from billing.emulator.cards import KEY_REFUSED, KnownCard, read_card
from billing.emulator.channels import channel_of
from billing.emulator.envelope import Refusal
from billing.emulator.form import require
from billing.emulator.pgs import require_fields, require_offer
from billing.emulator.refusals import refusal_of
from billing.emulator.smart_routing import FIRST_CHANNEL_ONLY, channels_of, group_of
from billing.emulator.store import Record
from billing.emulator.world import World


def issue_key(world: World, customer_uid: str, body: dict[str, Any]) -> Record:
    """Issue a key, replacing the mapping of a used customer_uid.

    Raises:
        Refusal: code -1, when the card is not accepted.
    """
    if not 1 <= len(customer_uid) <= 80:  # noqa: PLR2004 - the schema's maxLength
        raise Refusal("customer_uid는 80자 이내여야 합니다.", http_status=400)
    require(body, "card_number", "expiry")
    if group_of(body) is None:
        provider = channel_of(body)[0]
        require_offer(world, provider, "rest_key")
        require_fields(world, provider, "issue", body)
    card = read_card(body, world.clock.now(customer_uid), sentence=KEY_REFUSED)
    return keep_key(world, customer_uid, body, card)


def keep_key(world: World, customer_uid: str, body: dict[str, Any], card: KnownCard, *, fresh: bool = True) -> Record:
    """Keep a key that a PG has issued; a `fresh` one starts to count its declines anew."""
    if fresh:
        world.store.drop("counters", declines_counter(customer_uid))
    now = int(world.clock.now(customer_uid))
    before = world.store["keys"].get(customer_uid)
    provider, pg_id = channel_of(body)
    key = {
        "customer_uid": customer_uid,
        "customer_id": body.get("customer_id") or str(uuid.uuid4()),
        "pg_provider": provider,
        "pg_id": pg_id,
        **card.told(),
        "customer_name": body.get("customer_name") or body.get("buyer_name"),
        "customer_tel": body.get("customer_tel") or body.get("buyer_tel"),
        "customer_email": body.get("customer_email") or body.get("buyer_email"),
        "customer_addr": body.get("customer_addr") or body.get("buyer_addr"),
        "customer_postcode": body.get("customer_postcode") or body.get("buyer_postcode"),
        "inserted": before["inserted"] if before else now,
        "updated": now,
        "sandbox": world.settings.sandbox,
    }
    group = group_of(body)
    if group is not None:
        key |= _at_every_channel(group, key, body, card, now)
    return world.store.put("keys", customer_uid, key)


def _at_every_channel(group: str, key: Record, body: dict[str, Any], card: KnownCard, now: float) -> Record:
    channels: list[Record] = []
    failed: list[Record] = []
    for provider, pg_id in channels_of(group):
        if channels and card.last_four == FIRST_CHANNEL_ONLY:
            message = f"{KEY_REFUSED} {refusal_of(provider, 'unusable')}"
            failed.append({"type": "PG_PROVIDER", "message": message, "pg_provider": provider, "pg_id": pg_id})
        else:
            told = read_card(body, now, sentence=KEY_REFUSED, provider=provider).told()
            times = {"inserted": key["inserted"], "updated": key["updated"]}
            channels.append({"pg_provider": provider, "pg_id": pg_id, **times, **told})
    return {"channelGroupId": group, "channels": channels, "failedChannels": failed, **channels[0]}


def declines_counter(customer_uid: str) -> str:
    """The name of the durable counter of a key's declines, for the test card that declines twice."""
    return f"declines {customer_uid}"


def find_key(world: World, customer_uid: str) -> Record:
    """The key of a customer_uid.

    Raises:
        Refusal: there is none; 404 by the schema or 200 as observed, by a switch (facts.md 1.2).
    """
    key = world.store["keys"].get(customer_uid)
    if key is None:
        status = 404 if world.settings.unknown_customer == "404" else 200
        raise Refusal(f"요청하신 customer_uid({customer_uid})로 등록된 정보를 찾을 수 없습니다.", http_status=status)
    return key


def delete_key(world: World, customer_uid: str) -> Record:
    """Delete a key; whether its schedules stay, and fail when their time comes, or are revoked is a switch.

    Raises:
        Refusal: there is none.
    """
    key = find_key(world, customer_uid)
    world.store.drop("keys", customer_uid)
    if world.settings.schedules_of_deleted_key == "revoke":
        for row in world.schedules_by(customer_uid):
            if row["schedule_status"] == "scheduled":
                now = int(world.clock.now(customer_uid))
                revoked = {**row, "schedule_status": "revoked", "revoked_at": now}
                world.store.put("schedules", row["merchant_uid"], revoked)
    return key
