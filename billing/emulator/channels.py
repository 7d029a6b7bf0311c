"""The channels of the emulated account: one for each provider of facts.md 4.1."""

from typing import Any

CHANNELS = (
    ("nice", "nictest04m"),
    ("nice_v2", "iamport01m"),
    ("html5_inicis", "INIBillTst"),
    ("inicis", "INIBillTst"),
    ("kcp", "A52LD"),
    ("kcp_billing", "A52LD"),
    ("tosspayments", "iamporttest_4"),
    ("daou", "CTS17266"),
    ("ksnet", "2999199990"),
    ("welcome", "wpaybill01"),
    ("settle", "nxca_ks_gu"),
    ("settle_acc", "unknown"),
    ("danal_tpay", "9810030929"),
    ("danal", "A010002002"),
    ("kicc", "T5102001"),
    ("mobilians", "170622040674"),
    ("mobilians_v2", "unknown"),
    ("smartro_v2", "t_2302142m"),
    ("kakaopay", "TCSUBSCRIP"),
    ("naverpay", "naverpay-partner"),
    ("payco", "AUTOPAY"),
    ("tosspay_v2", "tosstest"),
    ("paymentwall", "paymentwall"),
    ("paypal_v2", "paypal_v2"),
    ("smilepay", "cnstest25m"),
)
"""Providers with the public test MID of each (facts.md 4.3); the first is the default channel."""

KEY_PREFIX = "channel-key-"


def channel_of(body: dict[str, Any]) -> tuple[str, str]:
    """Provider and MID that a request's `channel_key` or `pg` names; anything else is the default channel, silently."""
    channel_key = str(body.get("channel_key") or "")
    name, _, mid = str(body.get("pg") or "").partition(".")
    if channel_key.startswith(KEY_PREFIX):
        name, mid = channel_key.removeprefix(KEY_PREFIX), ""
    for provider, default_mid in CHANNELS:
        if name == provider:
            return provider, mid or default_mid
    return CHANNELS[0]


def list_channels(*, sandbox: bool) -> list[dict[str, Any]]:
    """The answer of GET /users/pg: each provider's window channel and REST channel."""
    return [
        {
            "pg_provider": provider,
            "pg_id": pg_id,
            "sandbox": sandbox,
            "type": kind,
            "channel_name": provider,
            "channel_key": f"{KEY_PREFIX}{provider}",
        }
        for provider, pg_id in CHANNELS
        for kind in ("payment", "api_payment")
    ]
