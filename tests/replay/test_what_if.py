"""`gudok replay --what-if`: the same money on today's code, and every change of a rule of money told where it bites."""

import asyncio
import base64
import gzip
import json
import re
import subprocess
import sys
from datetime import timedelta
from functools import partial

import pytest
from typer.testing import CliRunner

from api import replay_command
from api.cli import app as gudok
from api.fingerprint import workflow_type
from api.replay import history_files, read_history
from billing.domain import bills, dunning
from billing.domain.states import CycleState
from billing.domain.subscription import terms
from billing.domain.subscription.answers import ChargeAtOrder
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.terms import Terms
from chaos.expected import SEOUL, months_after
from chaos.what_if.__main__ import app
from chaos.what_if.comparing import Kind, compared
from chaos.what_if.recording import SUBSCRIPTION, UnreadableError, recording_of
from tests.patience import PATIENCE_SECONDS
from tests.replay.fingerprint import HISTORIES, name_of
from workflows.charge import portone, settling, stopping

RUNNER = CliRunner()
PLAIN = HISTORIES / "plain.json.gz"


def lived(name):
    """What today's code makes of a committed history."""
    folder = HISTORIES if (HISTORIES / f"{name}.json.gz").exists() else HISTORIES / "journeys"
    return compared(asyncio.run(recording_of(read_history(folder / f"{name}.json.gz"))))


def begun(name):
    """When a committed subscription began."""
    return asyncio.run(recording_of(read_history(HISTORIES / f"{name}.json.gz"))).begun


def day(name, months=0, **later):
    """So many months after a committed subscription began, and so much later, as it is told in Korea."""
    at = months_after(begun(name), months) + timedelta(**later)
    return f"{at.astimezone(SEOUL):%Y-%m-%d %H:%M}"


def utc(name, months=0, **later):
    """The same as it is told in UTC."""
    return f"{months_after(begun(name), months) + timedelta(**later):%Y-%m-%d %H:%M} UTC"


def no_event(why):
    """The reason without the number of the event in the recording."""
    return re.sub(r"event \d+", "event N", why)


def rows(one):
    """The differences by period: the amounts, days and outcomes of both sides, and why."""
    return {
        row.period: (row.recorded.split(" ", 1)[-1], row.today.split(" ", 1)[-1], no_event(row.why))
        for row in one.differences
    }


def what_if(*words):
    answer = RUNNER.invoke(app, [*map(str, words)], env={"COLUMNS": "250"})
    return answer.exit_code, answer.output


# ---------------------------------------------------------------- nothing has changed


def test_every_committed_subscription_comes_to_the_same_money():
    found, assumed = {}, {}
    for path in history_files(HISTORIES):
        history = read_history(path)
        if workflow_type(history) == SUBSCRIPTION:
            one = compared(asyncio.run(recording_of(history)))
            found[name_of(path)] = (one.kind, one.failure, one.differences)
            assumed[name_of(path)] = one.assumed
    assert len(found) > 170
    assert {name: each for name, each in found.items() if each[0] is not Kind.SAME} == {}
    assert {name: each for name, each in assumed.items() if each} == {}


@pytest.mark.parametrize("name", ["plain", "trial_declined_recovered", "answer_lost", "left_undecided", "adopted"])
def test_code_that_looks_once_more_comes_to_the_same_money(name, monkeypatch):
    once = portone.find_payments

    async def twice(merchant_uid, summary=None):
        await once(merchant_uid, summary)
        return await once(merchant_uid, summary)

    monkeypatch.setattr(portone, "find_payments", twice)
    assert lived(name).kind is Kind.SAME


def test_a_word_of_the_ledger_that_is_another_today_is_told_and_is_no_other_money(monkeypatch):
    close = Recording.close_order

    def in_other_words(self, state, why, now):
        close(self, CycleState.SKIPPED if state is CycleState.REVOKED else state, why, now)

    monkeypatch.setattr(Recording, "close_order", in_other_words)
    one = lived("canceled_at_period_end")
    assert one.kind is Kind.SAME
    assert [note.split(" ", 2)[2].split(" ", 4)[4] for note in one.notes] == ["revoked then, skipped today"]


# ---------------------------------------------------------------- a rule of money has changed


def dearer(monkeypatch):
    share = bills.share
    monkeypatch.setattr(bills, "share", lambda amount, *parts: share(amount + 1000, *parts))


def a_day_later(monkeypatch):
    due = terms.cycle_due
    monkeypatch.setattr(terms, "cycle_due", lambda *period: due(*period) + timedelta(days=period[2] > 1))


def test_another_price_is_told_of_each_period_with_both_amounts_and_the_call_that_parts_them(monkeypatch):
    dearer(monkeypatch)
    one, other = lived("plain"), "amount 10,900 KRW where the recording has 9,900 KRW"
    assert one.kind is Kind.DIFFERS
    assert rows(one) == {
        "period 1": (
            f"9,900 KRW {day('plain')} paid",
            f"10,900 KRW {day('plain')} paid",
            f"another amount; charge_again: {other} (event N)",
        ),
        **{
            f"period {number}": (
                f"9,900 KRW {day('plain', number - 1)} {outcome}",
                f"10,900 KRW {day('plain', number - 1)} {outcome}",
                f"another amount; register_schedule: {other} (event N)",
            )
            for number, outcome in ((2, "paid"), (3, "paid"), (4, "paid"), (5, "scheduled at PortOne"))
        },
    }
    assert one.charged == {"KRW": (39600, 43600)}
    assert one.assumed == [f"period {number}: attempt 1 is paid, as in the recording" for number in (1, 2, 3, 4)]


def test_what_is_not_charged_by_the_end_of_the_recording_is_not_counted_as_charged(monkeypatch):
    a_day_later(monkeypatch)
    one = lived("plain")
    told = rows(one)
    assert told["period 2"][:2] == (f"9,900 KRW {day('plain', 1)} paid", f"9,900 KRW {day('plain', 1, days=1)} paid")
    at = utc("plain", 1, days=1)
    assert told["period 2"][2].startswith(f"another day; register_schedule for {at} where the recording")
    assert told["period 4"][:2] == (
        f"9,900 KRW {day('plain', 3)} paid",
        f"9,900 KRW {day('plain', 3, days=1)} scheduled at PortOne",
    )
    assert told["period 5"][1:] == (
        "-",
        "not ordered today; register_schedule is left out, which the recording has at event N",
    )
    assert one.charged == {"KRW": (39600, 29700)}


def test_another_ladder_of_retries_is_told_with_the_days_of_every_attempt(monkeypatch):
    planned = dunning.RetryLadder.next_attempt_at

    def a_day_later(self, failed, at):
        found = planned(self, failed, at)
        return found + timedelta(days=1) if found is not None else None

    monkeypatch.setattr(dunning.RetryLadder, "next_attempt_at", a_day_later)
    name = "trial_declined_recovered"
    one, on = lived(name), partial(day, name)
    assert rows(one) == {
        "period 1": (
            f"9,900 KRW {on(days=5)} paid, declined {on(days=1)}, {on(days=2)}",
            f"9,900 KRW {on(days=7)} paid, declined {on(days=1)}, {on(days=3)}",
            f"another day; reschedule for {utc(name, days=3)} where the recording has {utc(name, days=2)} (event N)",
        )
    }
    assert one.assumed[:2] == [
        "period 1: attempt 2 is declined, as in the recording",
        "period 1: attempt 3 is paid, as in the recording",
    ]
    gone = lived("retries_exhausted")
    assert rows(gone)["status"] == ("canceled", "past_due", "it ends up elsewhere")


def test_a_cancel_that_does_not_stop_the_charge_is_told_with_what_is_charged_all_the_same(monkeypatch):
    async def believes(subscription, _recording, *, ending=False):
        return stopping.Stopped(ChargeAtOrder.REVOKED, subscription.terms.merchant_uid)

    monkeypatch.setattr(stopping, "stop_the_charge", believes)
    one = lived("canceled_at_period_end")
    assert rows(one) == {
        "period 2": (
            "9,900 KRW no day not charged",
            f"9,900 KRW {day('canceled_at_period_end', 1)} paid at PortOne, and the ledger says revoked",
            "another outcome; unschedule is left out, which the recording has at event N",
        )
    }
    assert one.charged == {"KRW": (9900, 19800)}
    assert one.assumed == ["period 2: attempt 1 is paid, the recording has no attempt of it"]
    # An end before its day asks once more what stands on the key, is shown it, and takes it back after all.
    assert lived("left_by_a_cancel").kind is Kind.SAME


def test_another_refund_is_told_with_what_goes_back(monkeypatch):
    monkeypatch.setattr(Terms, "gives_back", lambda *_: 500)
    one = lived("a_prorated_cancel_gives_back_what_is_still_paid_of_the_days_that_are_left")
    was, would, why = rows(one)["period 1"]
    assert (was.split(", ")[-1], would.split(", ")[-1]) == ("6,000 KRW back", "5,500 KRW back")
    assert why == "another refund; RefundWorkflow: amount 500 KRW where the recording has 1,000 KRW (event N)"
    assert one.returned == {"KRW": (6000, 5500)}
    assert one.assumed == ["period 1: a refund of 500 KRW is made"]


def test_a_run_that_went_on_from_an_earlier_one_is_compared_from_there(monkeypatch):
    assert lived("moved_between_versions").charged == {"KRW": (9900, 9900)}
    dearer(monkeypatch)
    one = lived("moved_between_versions")
    then, today, _ = rows(one)["period 5"]
    assert then.startswith("9,900 KRW ")
    assert then.endswith(" scheduled at PortOne")
    assert today == f"10,{then[2:]}"
    # What the earlier run had registered is charged as it stood.
    assert [row.period for row in one.differences] == ["period 5"]
    assert lived("about_to_continue_as_new").differences


def test_code_that_fails_is_told_as_that_with_what_it_leaves_behind(monkeypatch):
    def fails(*_):
        raise KeyError("no such period")

    monkeypatch.setattr(settling, "settle_paid", fails)
    one = lived("plain")
    assert (one.kind, one.failure) == (
        Kind.FAILS,
        f"today's code fails at {utc('plain', 1)}: KeyError: 'no such period'",
    )
    assert rows(one)["period 2"][1] == f"9,900 KRW {day('plain', 1)} paid at PortOne, and the ledger says planned"


def test_code_that_asks_without_end_is_told_as_that(monkeypatch):
    async def asks(*_):
        while True:
            await portone.find_schedule("nobody's")

    monkeypatch.setattr(portone, "look_up_order", asks)
    one = lived("plain")
    assert one.kind is Kind.FAILS
    assert "AsksWithoutEndError: more than" in one.failure


def test_a_command_that_is_refused_today_is_told(monkeypatch):
    monkeypatch.setattr(Terms, "charging", property(lambda _: False))
    one = lived("billed_on_a_day")
    assert one.kind is not Kind.SAME
    refused = [note for note in one.notes if "done then, refused today" in note]
    assert [note.split(" at ")[0] for note in refused] == ["change_plan"]


# ---------------------------------------------------------------- the command


def test_the_command_tells_a_sum_leaves_out_other_workflows_and_answers_0(tmp_path):
    for name in ("plain", "late_fact"):
        (tmp_path / f"{name}.json.gz").write_bytes((HISTORIES / f"{name}.json.gz").read_bytes())
    code, output = what_if(tmp_path, "--json", tmp_path / "found.txt")
    assert code == 0
    assert "1 of 1 recorded subscriptions come to the same money on this code" in output
    assert "charged: 39,600 KRW then, 39,600 KRW today" in output
    assert "left out: 1 history of LateFactWorkflow" in output
    found = json.loads((tmp_path / "found.txt").read_text())
    assert (found["same"], found["skipped"]) == (True, {"LateFactWorkflow": 1})


def test_the_command_tells_the_table_and_answers_1_where_money_differs(monkeypatch, tmp_path):
    dearer(monkeypatch)
    code, output = what_if(PLAIN, "--json", tmp_path / "found.json")
    assert code == 1
    assert "money differs  plain (subscription/plain)" in output
    assert "charged: 39,600 KRW then, 43,600 KRW today, 4,000 KRW more" in output
    assert "assumed: period 1: attempt 1 is paid, as in the recording" in output
    (one,) = json.loads((tmp_path / "found.json").read_text())["histories"]
    assert (one["kind"], one["differences"][1]["period"]) == ("differs", "period 2")
    today = one["differences"][1]["today_lines"][0]
    assert (today["amount"], today["at"][:10]) == ({"amount": 10900, "currency": "KRW"}, utc("plain", 1)[:10])


@pytest.mark.parametrize("content", [b"", b"not json", gzip.compress(b"{}", mtime=0)])
def test_a_file_that_is_no_history_is_refused_by_name(tmp_path, content):
    path = tmp_path / ("broken.json.gz" if content[:2] == b"\x1f\x8b" else "broken.json")
    path.write_bytes(content)
    code, output = what_if(path)
    assert code == 2
    assert path.name in "".join(output.replace("│", "").split())


def test_a_history_whose_messages_are_not_todays_is_told_and_prints_none_of_them(tmp_path):
    history = json.loads(read_history(PLAIN).to_json())
    began = history["events"][0]["workflowExecutionStartedEventAttributes"]
    began["input"]["payloads"][0]["data"] = base64.b64encode(b'{"plan": "kim@example.com"}').decode()
    path = tmp_path / "other.json"
    path.write_text(json.dumps(history))
    with pytest.raises(UnreadableError, match="event 1 is not readable"):
        asyncio.run(recording_of(read_history(path)))
    code, output = what_if(path)
    assert code == 1
    assert "cannot be run on  other: event 1 is not readable" in output
    assert "kim@example.com" not in output


def test_gudok_replay_hands_its_words_on_and_answers_with_the_code_of_what_it_ran(tmp_path):
    (tmp_path / "garbage.json").write_text("not json")
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "api.cli", "replay", str(tmp_path / "garbage.json"), "--what-if"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 2
    assert "garbage.json" in "".join(done.stderr.replace("│", "").split())


def test_without_a_checkout_it_says_so_and_options_of_the_other_way_are_refused(monkeypatch):
    monkeypatch.setattr(replay_command, "checkout_with", lambda _: None)
    answer = RUNNER.invoke(gudok, ["replay", "--what-if"])
    assert (answer.exit_code, "checkout" in answer.output) == (1, True)
    assert RUNNER.invoke(gudok, ["replay", "--json", "found.json"]).exit_code == 2
    assert RUNNER.invoke(gudok, ["replay", "--what-if", "--commands"]).exit_code == 2
