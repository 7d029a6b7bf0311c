"""A card as a hostile PG echoes it: every form that was seen or thought of, and what of it must not be found again."""

import base64
import json
import re
from dataclasses import dataclass

NUMBER = "5409260718635242"
CARD = {"card_number": "5409-2607-1863-5242", "expiry": "2031-07", "birth": "900412", "pwd_2digit": "73", "cvc": "918"}
BODY = json.dumps(CARD)
GROUPS = [NUMBER[i : i + 4] for i in range(0, 16, 4)]

_SEPARATORS = {
    "nothing": "", "hyphen": "-", "space": " ", "slash": "/", "underscore": "_", "comma": ",", "colon": ":",
    "full stop": ".", "two spaces": "  ", "en dash": "–", "em dash": "—", "minus": "−", "escaped hyphen": "%2D",
    "escaped space": "%20", "plus": "+", "no-break space": "\u00a0", "tab": "\t", "zero width": "\u200b",
    "word joiner": "\u2060", "soft hyphen": "\u00ad", "star": "*", "bar": "|", "semicolon": ";", "tilde": "~",
    "middle dot": "·", "new line": "\n", "entity": "&nbsp;", "spaced hyphen": " - ",
}  # fmt: skip


def _digits(first):
    return NUMBER.translate({ord("0") + n: first + n for n in range(10)})


def _b64(text):
    return base64.b64encode(text.encode()).decode()


@dataclass(frozen=True)
class Form:
    """One way to write a part of the card; `own` are those of ours beside the issue's."""

    name: str
    echo: str
    own: bool = False


def _forms():
    for name, between in _SEPARATORS.items():
        yield Form(f"number, {name} between", between.join(GROUPS))
    yield Form("number in full width", _digits(0xFF10))
    yield Form("number in base64", _b64(NUMBER))
    yield Form("number in base64 without padding", base64.urlsafe_b64encode(NUMBER.encode()).decode().rstrip("="))
    yield Form("body in base64", _b64(BODY))
    yield Form("number in hex", NUMBER.encode().hex())
    yield Form("body in hex", BODY.encode().hex())
    for text in ("2031-07", "2031/07", "3107", "31/07", "07/31", "0731", "203107", "07/2031", "31년 07월"):
        yield Form(f"expiry as {text}", f"유효기간 {text}")
    for text in ("900412", "90-04-12", "1990-04-12", "19900412"):
        yield Form(f"birth as {text}", f"생년월일 {text}")
    for text in ("pwd_2digit=73", "비밀번호 73", "비밀번호 앞 2자리: 73", "cvc 918"):
        yield Form(text, text)
    yield Form("body", BODY)
    yield Form("form", "&".join(f"{name}={value}" for name, value in CARD.items()))
    yield Form("half of the number", NUMBER[:8])
    yield Form("number in Arabic digits", _digits(0x0660), own=True)
    yield Form("number in bold digits", _digits(0x1D7CE), own=True)
    yield Form("number in escaped digits", "".join(f"%3{digit}" for digit in NUMBER), own=True)
    yield Form("number in entities", "".join(f"&#{ord(digit)};" for digit in NUMBER), own=True)
    yield Form("number in JSON escapes", "".join(f"\\u00{ord(digit):x}" for digit in NUMBER), own=True)
    yield Form("number backwards", NUMBER[::-1], own=True)
    yield Form("number in base32", base64.b32encode(NUMBER.encode()).decode(), own=True)
    yield Form("number in base64, twice", _b64(_b64(NUMBER)), own=True)
    yield Form("number inside a token", "tok_live" + _b64(NUMBER) + "x", own=True)
    yield Form("number in hex, spaced", NUMBER.encode().hex(" "), own=True)
    yield Form("number as a hexadecimal", hex(int(NUMBER)), own=True)
    yield Form("number in Hangul", "".join("영일이삼사오육칠팔구"[int(digit)] for digit in NUMBER), own=True)
    yield Form("number with letters between", "카드".join(GROUPS), own=True)
    yield Form("number with keycaps", "".join(f"{digit}\ufe0f\u20e3" for digit in NUMBER), own=True)
    yield Form("birth in base64", f"birth {_b64('900412')}", own=True)


FORMS = tuple(_forms())

# Whatever of these is found anywhere is a leak; each form is looked for as it was written, too.
_ALWAYS = {
    NUMBER, CARD["card_number"], *(NUMBER[i : i + 7] for i in range(10)), CARD["expiry"], CARD["birth"],
    _b64(NUMBER).rstrip("="), NUMBER.encode().hex(), 'pwd_2digit": "73', "pwd_2digit=73", "비밀번호 73",
}  # fmt: skip


def needles(forms=FORMS):
    """Texts that must be found nowhere: the card itself, and each form as it was written, whole and in parts."""
    found = set(_ALWAYS)
    for form in forms:
        text = form.echo
        found |= {text, text.strip(), json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
        found |= {part for part in re.findall(r"[A-Za-z0-9+/%]{8,}", text) if re.search("[0-9]", part)}
    return tuple(sorted(needle for needle in found if len(needle) >= 4))


def leaks(haystacks, forms=FORMS):
    """(place, needle) for every needle that is found; a haystack is text or bytes."""
    sought = [(needle, needle.encode()) for needle in needles(forms)]
    return [
        (place, needle)
        for place, content in haystacks.items()
        for needle, raw in sought
        if (raw in content if isinstance(content, bytes) else needle in content)
    ]
