"""The pytest plugin in somebody else's suite: another process, another folder, packages with the names of ours."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_SECONDS

SUITE = """
import asyncio, json, sys
from datetime import timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

import billing.accounts


def call(emulator, path, body, token=None):
    headers = {"Content-Type": "application/json"} | ({"Authorization": token} if token else {})
    with urlopen(Request(emulator.url + path, json.dumps(body).encode(), headers)) as answer:
        return json.load(answer)


def charge(emulator, merchant_uid):
    keys = {"imp_key": emulator.imp_key, "imp_secret": emulator.imp_secret}
    token = call(emulator, "/users/getToken", keys)["response"]["access_token"]
    order = {"merchant_uid": merchant_uid, "amount": 9900, "name": "Plan", "card_number": "4518-4212-3456-1111"}
    return call(emulator, "/subscribe/payments/onetime", order | {"expiry": "2099-12", "birth": "900101"}, token)


def test_our_own_packages_are_our_own():
    assert billing.accounts.OURS


def test_a_charge_whose_answer_is_lost_is_in_the_books(gudok_emulator):
    gudok_emulator.faults([{"kind": "500_after", "path": "onetime", "count": 1}])
    with pytest.raises(HTTPError):
        charge(gudok_emulator, "m1")
    assert [row["merchant_uid"] for row in gudok_emulator.books()["charges"]] == ["m1"]
    assert [rule["fired"] for rule in gudok_emulator.faults()] == [1]
    gudok_emulator.clear_faults()
    assert charge(gudok_emulator, "m2")["code"] == 0


def test_each_test_has_an_empty_account_and_a_clock_of_its_own(gudok_emulator):
    assert gudok_emulator.books()["charges"] == gudok_emulator.faults() == []
    before = gudok_emulator.now()
    assert gudok_emulator.advance(timedelta(days=31)) == gudok_emulator.schedules() == []
    assert gudok_emulator.now() - before >= timedelta(days=31)
    gudok_emulator.advance(to=before + timedelta(days=40))


def test_a_plan_is_a_file_too(gudok_emulator, tmp_path):
    plan = tmp_path / "plan.toml"
    rule = '[[rules]]\\nkind = "console"\\nat = 2027-01-01T00:00:00Z\\nact = { act = "recovery", hour = 9 }\\n'
    plan.write_text("seed = 5\\n" + rule)
    assert [rule["seed"] for rule in gudok_emulator.faults(plan)] == [5]
    with pytest.raises(AssertionError, match="rule 1, kind: "):
        gudok_emulator.faults([{"kind": "odd"}])
    with pytest.raises(AssertionError):
        gudok_emulator.advance(-1)


def test_a_person_acts_in_the_console(gudok_emulator):
    charge(gudok_emulator, "m1")
    assert gudok_emulator.console("cancel", merchant_uid="m1")["status"] == "cancelled"
    with pytest.raises(AssertionError):
        gudok_emulator.console("cancel", merchant_uid="m2")


class TestWithOptions:
    @pytest.fixture
    def gudok_emulator_options(self):
        return {"webhook_url": "http://127.0.0.1:9/hook"}

    def test_settings_are_the_emulators(self, gudok_emulator):
        charge(gudok_emulator, "m1")
        assert [hook["url"] for hook in gudok_emulator.webhooks()] == ["http://127.0.0.1:9/hook"]
"""

UNTOUCHED = """
import sys


def test_nothing_of_the_emulator_was_loaded():
    assert "gudok_pytest" in sys.modules
    assert not {"billing", "api", "workflows", "activities", "worker", "fastapi", "pydantic"} & set(sys.modules)
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Found as its installation announces it; of the others here, none that wants settings or loads what we look for.
    others = [f"-pno:{name}" for name in ("cacheprovider", "asyncio", "anyio", "hypothesispytest", "xdist", "timeout")]
    command = [sys.executable, "-m", "pytest", "-W", "error", *others, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)  # noqa: S603


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "billing").mkdir()
    (tmp_path / "billing/__init__.py").write_text("")
    (tmp_path / "billing/accounts.py").write_text("OURS = True\n")
    return tmp_path


def test_the_fixture_works_in_a_suite_that_has_a_billing_package_itself(suite):
    (suite / "test_shop.py").write_text(SUITE)
    done = run(suite)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


def test_a_suite_that_does_not_ask_for_it_notices_nothing(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_own.py").write_text(UNTOUCHED)
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_fixtures_are_told_of(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    listed = run(tmp_path, "--fixtures").stdout
    assert "gudok_emulator -- " in listed
    assert "A PortOne V1 with an empty account of the test's own." in listed
