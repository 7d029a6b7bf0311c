"""Identity checks by SMS: anybody is who they say they are, and one password is always wrong."""

import base64
import hashlib
import re
from typing import Any

from billing.emulator.envelope import bad_request, not_found
from billing.emulator.form import require
from billing.emulator.store import Record
from billing.emulator.world import World

UNKNOWN = "인증결과가 존재하지 않습니다."
WRONG_OTP = "000000"
CARRIERS = ("SKT", "KT", "LGT")
_FOREIGNERS = "5678"
_CENTURIES = {"9": "18", "0": "18", "1": "19", "2": "19", "5": "19", "6": "19"}


def request_otp(world: World, body: dict[str, Any]) -> Record:
    """Check who somebody claims to be and send them a password; answers the imp_uid to confirm with.

    Raises:
        Refusal: 400, when a part is missing or impossible.
    """
    require(body, "name", "phone", "birth", "gender_digit", "carrier", http_status=400)
    birth, digit = re.sub(r"\D", "", str(body["birth"]))[-6:], str(body["gender_digit"])
    if len(birth) < 6 or not re.fullmatch(r"\d", digit, re.ASCII) or body["carrier"] not in CARRIERS:  # noqa: PLR2004
        raise bad_request("본인인증 대상자 정보가 올바르지 않습니다.")
    person = f"{body['name']} {birth} {digit}"
    provider = "kcp_v2" if "kcp" in str(body.get("channel_key") or "") else "danal"
    imp_uid = world.imp_uid("imp_")
    row = {
        "imp_uid": imp_uid,
        "merchant_uid": None if body.get("merchant_uid") is None else str(body["merchant_uid"]),
        "pg_tid": None,
        "pg_provider": provider,
        "name": str(body["name"]),
        "gender": "male" if int(digit) % 2 else "female",
        "birthday": f"{_CENTURIES.get(digit, '20')}{birth[:2]}-{birth[2:4]}-{birth[4:]}",
        "foreigner": digit in _FOREIGNERS,
        "foreigner_v2": digit in _FOREIGNERS,
        "phone": re.sub(r"\D", "", str(body["phone"])),
        "carrier": str(body["carrier"]),
        "certified": False,
        "certified_at": 0,
        # 64 bytes in base64 are the 88 characters of a CI; the same person has the same one everywhere.
        "unique_key": base64.b64encode(hashlib.sha512(person.encode()).digest()).decode(),
        "unique_in_site": hashlib.sha256(f"emulator {person}".encode()).hexdigest(),
        "origin": None,
    }
    world.store.put("certifications", imp_uid, {**row, "by_app": body.get("verification_method") == "APP"})
    return {"imp_uid": imp_uid}


def confirm_otp(world: World, imp_uid: str, body: dict[str, Any]) -> Record:
    """Confirm a request with any password but `000000`; in the APP no password is needed.

    Raises:
        Refusal: 404, or 400 for a missing or wrong password or a second confirmation.
    """
    row = _found(world, imp_uid)
    otp = str(body.get("otp") or "")
    if row["certified"] or otp == WRONG_OTP or not (otp or row["by_app"]):
        raise bad_request("인증번호가 올바르지 않거나 이미 인증처리가 완료된 건입니다.")
    now = int(world.clock.now())
    certified = {**row, "certified": True, "certified_at": now, "pg_tid": f"emu{imp_uid.removeprefix('imp_')}"}
    return _told(world.store.put("certifications", imp_uid, certified))


def find_certification(world: World, imp_uid: str) -> Record:
    """A certification, confirmed or not.

    Raises:
        Refusal: 404.
    """
    return _told(_found(world, imp_uid))


def delete_certification(world: World, imp_uid: str) -> Record:
    """Delete a certification; answers what it was.

    Raises:
        Refusal: 404.
    """
    row = _found(world, imp_uid)
    world.store.drop("certifications", imp_uid)
    return _told(row)


def _found(world: World, imp_uid: str) -> Record:
    row = world.store["certifications"].get(imp_uid)
    if row is None:
        raise not_found(UNKNOWN)
    return row


def _told(row: Record) -> Record:
    return {name: value for name, value in row.items() if name != "by_app"}
