"""Access tokens: 30 minutes, the same one again until it ends, five more minutes under the last (facts.md 1.5).

They live by real time, whatever the emulator's clock has been moved to: a client keeps its token by its own clock, and
would otherwise be refused after each move, or keep a token for a month that is over tomorrow.
"""

import secrets
import time
from typing import Any

from fastapi import Request

from billing.emulator.envelope import REFUSED, Refusal
from billing.emulator.settings import GUIDE_KEYS
from billing.emulator.store import Record
from billing.emulator.world import World

LIFE_SECONDS = 30 * 60
EXTENSION_SECONDS = 5 * 60
LAST_SECONDS = 60


def issue_token(world: World, body: dict[str, Any]) -> dict[str, Any]:
    """The token of the account.

    Raises:
        Refusal: a missing or wrong key or secret.
    """
    key, secret = body.get("imp_key"), body.get("imp_secret")
    if not key or not secret:
        raise Refusal(
            "imp_key, imp_secret 파라메터가 누락되었습니다.", http_status=int(world.settings.missing_credentials)
        )
    own = world.settings.imp_key
    genuine = any(
        secrets.compare_digest(str(key).encode(), known.encode())
        for known in (GUIDE_KEYS if own in GUIDE_KEYS else (own,))
    )
    if not (secrets.compare_digest(str(secret).encode(), world.settings.imp_secret.encode()) and genuine):
        raise Refusal("Unauthorized", code=REFUSED, http_status=401)
    now = _now(world)
    token = _living(world, now)
    if token is None:
        token = {"access_token": secrets.token_hex(20), "expired_at": int(now) + LIFE_SECONDS}
    elif token["expired_at"] - now < LAST_SECONDS:
        token = {**token, "expired_at": token["expired_at"] + EXTENSION_SECONDS}
    for old in list(world.store["tokens"]):
        if old != token["access_token"]:
            world.store.drop("tokens", old)
    world.store.put("tokens", token["access_token"], token)
    return {**token, "now": int(now)}


def require_token(world: World, request: Request) -> None:
    """Let a request in that carries the living token: `Bearer x`, `x`, the legacy header, or `?_token=x`.

    Raises:
        Refusal: 401 otherwise.
    """
    header = request.headers.get("authorization") or request.headers.get("x-imptokenheader")
    header = header or request.query_params.get("_token") or ""
    word, _, rest = header.strip().partition(" ")
    sent = rest.strip() if word.lower() in ("bearer", "basic") and rest else header.strip()
    token = _living(world, _now(world))
    if token is None or not secrets.compare_digest(sent.encode(), token["access_token"].encode()):
        raise Refusal("Unauthorized", code=REFUSED, http_status=401)


def _now(world: World) -> float:
    return time.time() if world.settings.auth_time == "real" else world.clock.now()


def _living(world: World, now: float) -> Record | None:
    # What ends later than any token can was issued by another clock: the switch was turned, or the machine's time.
    living = [token for token in world.store["tokens"].values() if now < token["expired_at"] <= now + LIFE_SECONDS]
    return living[0] if living else None
