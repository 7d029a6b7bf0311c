"""The page at `/`: whole in itself, in two languages, with every act and every fault there is."""

import re
from typing import get_args

from billing.emulator.console_acts import ConsoleAct
from billing.emulator.fault_kinds import KINDS
from billing.emulator.faults import Fault


async def _page(merchant):
    answer = await merchant.http.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return answer.text


def _options(page, name):
    return re.findall(r"<option>(\w+)", re.search(rf'<select name="{name}">(.*?)</select>', page, re.DOTALL)[1])


async def test_the_page_loads_nothing_from_anywhere(merchant):
    page = await _page(merchant)
    assert not re.search(r"(?:src|href)=|https?://|@import|url\(", page)
    assert "innerHTML" not in page


async def test_every_act_and_every_fault_can_be_chosen(merchant):
    page = await _page(merchant)
    assert set(_options(page, "act")) == set(get_args(ConsoleAct.model_fields["act"].annotation))
    kinds = await merchant.control("GET", "faults/kinds")
    assert [one["kind"] for one in kinds] == list(KINDS)
    assert set(KINDS) == set(get_args(Fault.model_fields["kind"].annotation))
    # Every field that a kind takes has a place in the form; the act is what the console's form says.
    assert {name for one in kinds for name in one["takes"]} - {"act"} == set(re.findall(r'data-takes="(\w+)"', page))
    assert all(one["en"].endswith(".") and one["ko"].endswith(".") for one in kinds)


async def test_both_languages_have_every_word(merchant):
    page = await _page(merchant)
    english, korean = (
        set(re.findall(r"(\w+): (?:\"|\(t\))", re.search(rf"\n  {language}: {{(.*?)}},\n", page, re.DOTALL)[1]))
        for language in ("en", "ko")
    )
    asked = set(re.findall(r'data-[tp]="(\w+)"', page)) | set(re.findall(r'\bt\("(\w+)"\)', page))
    assert english == korean
    assert asked <= english


async def test_schedules_are_listed_without_a_token(merchant):
    await merchant.issue()
    await merchant.issue("lee")
    for number, customer_uid in enumerate(("kim", "lee", "kim")):
        await merchant.schedule(f"m{number}", customer_uid, after=100 + number)
    rows = await merchant.control("GET", "schedules")
    assert [row["merchant_uid"] for row in rows] == ["m2", "m1", "m0"]
    rows = await merchant.control("GET", "schedules", params={"customer_uid": "lee"})
    assert [row["merchant_uid"] for row in rows] == ["m1"]
    assert "notice_url" not in rows[0]
