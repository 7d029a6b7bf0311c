"""What a client is told when a rule strikes: instead of what it asked for, or of what was done."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from fastapi import Request, Response

from billing.emulator.envelope import REFUSED, LostAnswer, Refusal, SlowAnswer, done, refused
from billing.emulator.form import listed
from billing.emulator.store import Record
from billing.emulator.world import World


def told_before(fault: Record) -> Response:
    """The answer to a call of which nothing was done."""
    if fault["kind"] == "drop_before" or fault["answer"] == "cut":
        return LostAnswer()
    match fault["kind"]:
        case "429" | "429_bare" as kind:
            answer = _status(429, "Too Many Requests")
            if kind == "429":
                answer.headers["Retry-After"] = str(int(fault["seconds"]))
            return answer
        case "401":
            return _status(401, "Unauthorized")
        case "redirect":
            return Response(status_code=302, headers={"Location": fault["location"] or "/"})
        case "execute_late":
            return _status(504, "Gateway Timeout")
        case _:
            return _status(500, "Internal Server Error")


def told_after(fault: Record, answer: Response) -> Response:
    """What becomes of the answer to a call that was done."""
    match fault["kind"]:
        case "drop_after":
            return LostAnswer()
        case "garbage":
            return Response("<html><body>502 Bad Gateway</body></html>", media_type="text/html")
        case "slow_drip":
            return SlowAnswer(answer, fault["seconds"])
        case "500_after":
            return _status(500, "Internal Server Error")
        case "wrong_amount":
            return _changed(answer, "amount", lambda was: was + 1 if fault["amount"] is None else fault["amount"])
        case kind:
            return _changed(answer, kind.removeprefix("wrong_"), _another)


def identity_of(world: World, request: Request, body: dict[str, Any]) -> dict[str, str | None]:
    """The order and the key that a call is about, by whichever id it names them; of several, the first."""
    schedules = body.get("schedules")
    first = schedules[0] if isinstance(schedules, list) and schedules and isinstance(schedules[0], dict) else {}

    def named(name: str) -> str | None:
        value = request.path_params.get(name) or body.get(name) or first.get(name) or listed(request.query_params, name)
        one = value[0] if isinstance(value, list) and value else value
        return str(one) if one else None

    merchant_uid, customer_uid = named("merchant_uid"), named("customer_uid")
    payment = world.store["payments"].get(named("imp_uid") or "")
    if merchant_uid is None and payment is not None:
        merchant_uid = payment["merchant_uid"]
    if customer_uid is None and merchant_uid is not None:
        known = payment or world.store["schedules"].get(merchant_uid)
        customer_uid = (known or next(iter(world.payments_of(merchant_uid)), {})).get("customer_uid")
    return {"merchant_uid": merchant_uid, "customer_uid": customer_uid}


def made_up(imp_uid: str) -> str:
    """A payment id that was never issued, always the same for the same true one."""
    return f"imps_0000{int(hashlib.sha256(imp_uid.encode()).hexdigest(), 16) % 10**8:08d}"


def _status(http_status: int, message: str) -> Response:
    return refused(Refusal(message, code=REFUSED, http_status=http_status))


def _another(value: Any) -> Any:
    return made_up(value) if str(value).startswith("imp") else f"{value}_other"


def _changed(answer: Response, name: str, change: Callable[[Any], Any]) -> Response:
    """The answer with a field changed wherever its objects have one; as it is where they have none."""
    try:
        told = json.loads(bytes(answer.body))["response"]
    except (AttributeError, ValueError, KeyError, TypeError):
        return answer
    listed = told.get("list", told) if isinstance(told, dict) else told
    for one in listed if isinstance(listed, list) else [listed]:
        if isinstance(one, dict) and one.get(name) is not None:
            one[name] = change(one[name])
    return done(told, http_status=answer.status_code) if told is not None else answer
