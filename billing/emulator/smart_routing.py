"""Super billing keys: one customer_uid with a key at every channel of a smart-routing group (facts.md 2.3).

A group is named by its providers, `channel-group-nice-kcp`; any other name means the default group, as an unknown `pg`
means the default channel. Card 0008 is refused by every channel of a group but the first.
"""

from typing import Any

from billing.emulator.channels import CHANNELS, KEY_PREFIX
from billing.emulator.masking import CARD_FIELDS
from billing.emulator.store import Record

GROUP_PREFIX = "channel-group-"
DEFAULT_GROUP = ("nice", "kcp", "tosspayments")
FIRST_CHANNEL_ONLY = "0008"

_OF_CHANNEL = ("pg_provider", "pg_id", "inserted", "updated", *CARD_FIELDS)
_OF_CUSTOMER = (
    "customer_uid", "channelGroupId", "customer_id", "customer_name", "customer_tel", "customer_email",
    "customer_addr", "customer_postcode", "failedChannels",
)  # fmt: skip


def group_of(body: dict[str, Any]) -> str | None:
    """The group a request names: `channel_group_id` when a key is issued, `channelGroupId` on onetime."""
    named = body.get("channel_group_id") or body.get("channelGroupId")
    return str(named) if named else None


def channels_of(group: str) -> list[tuple[str, str]]:
    """Provider and MID of each channel of a group."""
    known = dict(CHANNELS)
    named = [name for name in group.removeprefix(GROUP_PREFIX).split("-") if name in known]
    return [(name, known[name]) for name in named or DEFAULT_GROUP]


def shown_super(key: Record) -> Record:
    """A super key as it is answered."""
    succeeded = [{name: channel.get(name) for name in _OF_CHANNEL} for channel in key["channels"]]
    return {name: key[name] for name in _OF_CUSTOMER} | {"succeededChannels": succeeded}


def at_channel(key: Record, channel_key: str | None) -> Record:
    """A key at the channel that pays: the one asked for, or the first; an ordinary key is always itself."""
    channels = key.get("channels")
    if not channels:
        return key
    asked = (channel_key or "").removeprefix(KEY_PREFIX)
    return {**key, **next((row for row in channels if row["pg_provider"] == asked), channels[0])}
