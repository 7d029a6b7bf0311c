"""Lives drawn by Hypothesis, on the real workflows in virtual time: many a second, each the same the next time."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from billing.domain.states import CycleState
from billing.domain.subscription.choices import When
from billing.domain.subscription.notes import Notes
from chaos.machine.agreed import PRICE
from chaos.machine.mishaps import Card, Fault, Kind, Webhooks
from chaos.machine.world import BrokenError, World
from tests.chaos.machine import Lives
from workflows.refund import workflow as refund_workflow
from workflows.subscription.commands.cancel import CancelSubscription
from workflows.subscription.commands.change_plan import ChangePlan
from workflows.subscription.commands.pause import PauseSubscription


def drawn(lives, steps, phases=(Phase.generate, Phase.shrink)):
    """Draw so many lives; the first that breaks a promise is made as small as it goes, and told whole.

    Answers how many were judged.
    """
    before = Lives.judged
    chosen = settings(
        max_examples=lives,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=[*HealthCheck],
        phases=phases,
        derandomize=True,
    )
    run_state_machine_as_test(Lives, settings=chosen)
    return Lives.judged - before


def test_in_any_life_every_promise_is_kept():
    assert drawn(150, 25) >= 150


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_in_thousands_of_lives_every_promise_is_kept():
    assert drawn(1500, 40) >= 1500


# ---------------------------------------------------------------- it can fail


def _close_whatever_stands(self, state, reason, now):
    if state is CycleState.SKIPPED:
        self._subscription.state.period.close_order()
    self._noted.results.append(self._subscription.result(state, None, now, reason))


SABOTAGED = [
    pytest.param(
        Notes,
        "close_order",
        _close_whatever_stands,
        "never opened|activities within",
        id="an order is closed that never was",
    ),
    pytest.param(
        refund_workflow, "_later_of", lambda _answer, after: after, "books_agree", id="a lagging look is believed"
    ),
]


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("owner", "name", "instead", "says"), SABOTAGED)
def test_drawn_lives_find_what_was_broken_on_purpose(owner, name, instead, says, monkeypatch):
    monkeypatch.setattr(owner, name, instead)
    with pytest.raises(AssertionError, match=says):
        drawn(1500, 40, [Phase.generate])


# ---------------------------------------------------------------- the virtual world itself


def test_a_year_is_charged_month_by_month_and_webhooks_need_not_come(world):
    world.portone.webhooks += [Webhooks.LOST] * 20
    world.start("kim")
    world.passes(days=365)
    world.rest()
    assert [row.status for row in world.portone.payments] == ["paid"] * 13
    assert len({row.merchant_uid for row in world.portone.payments}) == 13


def test_a_change_is_carried_out_late_or_not_at_all_as_it_was_ordered(world):
    world.start("kim")
    number = world.open_order("kim")
    world.portone.faults.append(Fault("unschedule", Kind.LATE, 300.0, 50))
    world.command("kim", "cancel", CancelSubscription(at=When.NOW))
    assert [row.status for row in world.portone.schedules if row.merchant_uid == number] == ["scheduled"]
    world.passes(minutes=6)
    assert [row.status for row in world.portone.schedules if row.merchant_uid == number] == ["revoked"]
    assert any("unschedule late" in each for each in world.portone.struck)


def test_an_old_look_shows_what_was_true(world):
    world.start("kim")
    world.portone.faults.append(Fault("payments", Kind.STALE, 120.0, 1))
    number = next(iter(world.ledger.charges))
    looks = [world.asked(world.portone.find_payments(number)) for _ in range(2)]
    assert [len(each) for each in looks] == [0, 1]


def test_a_declined_start_and_a_run_that_continues_as_new_are_lived_through():
    world = World(rolls_after=60)
    world.start("kim", card=Card.DECLINED)
    assert world.newest("kim").status == "incomplete_expired"
    world.start("lee")
    world.passes(days=100)
    assert world.temporal.runs["subscription/lee"].times_new >= 2
    world.rest()
    world.close()


def test_a_second_payment_is_told_until_it_has_gone_back(world):
    world.start("kim")
    world.portone.webhooks.append(Webhooks.LOST)
    world.console("pay", "kim", next(iter(world.ledger.charges)))
    assert "paid_at_most_once" in {name for name, _ in world.violations()}
    world.rest()


def test_a_refund_whose_look_lagged_behind_is_found_when_it_is_told_of_again(world):
    world.start("kim")
    world.passes(days=32)
    paid = world.portone.payments[0]
    world.portone.faults.append(Fault("payment", Kind.STALE, 120.0, 1))
    world.refund(paid.imp_uid, 9900)
    assert "books_agree" in {name for name, _ in world.violations()}
    world.reconcile()
    assert world.violations() == []


def test_a_trial_ends_although_somebody_paid_the_number_that_was_taken_back(world):
    world.start("kim", trial_days=3)
    world.command("kim", "cancel", CancelSubscription(at=When.PERIOD_END))
    world.console("pay", "kim", world.open_order("kim"))
    world.passes(days=4)
    assert world.newest("kim").status == "canceled"
    world.rest()


@pytest.mark.parametrize("at", [When.NOW, When.PERIOD_END])
def test_a_cancel_that_meets_a_payment_portone_has_not_finished_leaves_it_in_a_list(world, at):
    world.start("kim", card=Card.UNDECIDED, trial_days=3)
    number = world.open_order("kim")
    world.console("pay", "kim", number)
    world.command("kim", "cancel", CancelSubscription(at=at))
    assert world.ledger.charges[number].state == "revoked"
    world.passes(days=5)
    assert world.newest("kim").status == "canceled"
    assert [(each.kind, each.merchant_uid) for each in world.ledger.open_parked()] == [("charge_left", number)]
    world.portone.webhooks.append(Webhooks.LOST)
    world.approve(world.portone.payments[0].imp_uid)
    world.passes(days=2)
    assert [each.cancelled_amount for each in world.portone.payments] == [9900]
    world.rest()


@pytest.mark.parametrize("at", [When.NOW, When.PERIOD_END])
def test_a_cancel_while_a_change_is_being_charged_says_that_the_next_charge_was_taken_back(world, at):
    world.start("kim")
    number = world.open_order("kim")
    world.portone.faults.append(Fault("again", Kind.BEFORE, 0.0, 1))
    assert world.command("kim", "change_plan", ChangePlan(at=When.NOW, quantity=2)) is None
    world.command("kim", "cancel", CancelSubscription(at=at))
    assert [row.status for row in world.portone.schedules if row.merchant_uid == number] == ["revoked"]
    world.passes(days=40)
    assert world.newest("kim").status == "canceled"
    assert world.ledger.charges[number].state in ("revoked", "skipped")
    assert [row for row in world.portone.payments if row.merchant_uid == number] == []
    world.rest()


def test_somebody_else_s_charge_that_ran_is_told_once_portone_shows_it(world):
    world.start("kim")
    runs_at = world.now + timedelta(days=3)
    world.asked(world.portone.schedule("by_hand", "kim", runs_at, PRICE))
    world.command("kim", "cancel", CancelSubscription(at=When.NOW))
    (row,) = world.ledger.open_parked()
    world.portone.webhooks.append(Webhooks.LOST)
    world.portone.faults.append(Fault("payments", Kind.STALE, 600.0, 2))
    world.passes(days=3, minutes=10)
    assert [each.parked_id for each in world.ledger.open_parked()] == [row.parked_id]
    assert "by_hand" not in {each.merchant_uid for each in world.ledger.payments.values()}
    world.passes(days=1)
    assert world.ledger.open_parked() == []
    assert "by_hand" in {each.merchant_uid for each in world.ledger.payments.values()}


def test_every_refund_of_one_order_is_written_down_though_it_stands_parked(world):
    world.start("kim", card=Card.DECLINED, trial_days=3)
    world.passes(days=8)
    for payment in world.portone.payments[:2]:
        world.approve(payment.imp_uid)
        world.refund(payment.imp_uid, 9900)
        world.passes(seconds=5)
    world.rest()
    refunded = [each.imp_uid for each in world.ledger.payments.values() if each.cancelled_amount == 9900]
    assert refunded == [payment.imp_uid for payment in world.portone.payments[:2]]


def test_a_part_refund_of_one_of_two_payments_is_written_down_though_they_stand_parked(world):
    world.start("kim", trial_days=3)
    number = world.open_order("kim")
    world.portone.webhooks += [Webhooks.LOST] * 2
    world.console("execute", "kim", number)
    world.console("pay", "kim", number)
    world.passes(days=4)
    first, _ = world.portone.payments
    world.refund(first.imp_uid, 4950)
    world.passes(days=2)
    assert world.ledger.payments[first.imp_uid].cancelled_amount == 4950
    world.rest()


def test_the_key_of_a_first_charge_that_stood_parked_is_written_down_once_it_is_paid(world):
    world.start("kim", card=Card.DECLINED)
    world.start("kim", card=Card.UNDECIDED)
    assert [(each.customer_uid, each.deleted) for each in world.books().ledger.keys] == [("kim", True)]
    world.passes(days=8)
    world.approve(world.portone.payments[-1].imp_uid)
    world.passes(minutes=1)
    assert [(each.customer_uid, each.deleted) for each in world.books().ledger.keys] == [("kim", False)]
    world.rest()


def test_a_start_whose_first_charge_is_paid_in_the_console_before_it_stands_goes_on(world):
    world.portone.faults.append(Fault("schedule", Kind.BEFORE, 5.0, 3))
    world.start("kim", trial_days=3)
    assert world.newest("kim").status == "incomplete"
    world.console("pay", "kim", world.open_order("kim"))
    world.passes(days=50)
    assert world.newest("kim").status == "active"
    assert [row.status for row in world.portone.payments] == ["paid"] * 2
    world.rest()


def test_a_key_that_is_not_listed_yet_although_its_schedule_stands_is_not_called_deleted(world):
    world.portone.faults += [Fault("key", Kind.STALE, 2.0, 2), Fault("key", Kind.STALE, 120.0, 1)]
    world.start("kim", trial_days=3)
    world.reconcile()
    assert world.newest("kim").status == "trialing"
    assert [each.deleted for each in world.books().ledger.keys] == [False]
    world.rest()


def test_a_deletion_that_is_carried_out_late_takes_no_key_that_was_issued_after_it(world):
    world.start("kim")
    world.command("kim", "cancel", CancelSubscription(at=When.NOW))
    world.portone.faults.append(Fault("delete", Kind.LATE, 300.0, 1))
    assert world.delete_key("kim")
    assert not world.start("kim")
    world.passes(minutes=11)
    assert world.start("kim")
    assert world.asked(world.portone.find_key("kim")) is not None
    world.passes(days=40)
    assert [row.status for row in world.portone.payments] == ["paid"] * 3
    world.rest()


def test_what_was_paid_in_the_console_is_not_charged_again_on_its_day_though_a_part_went_back(world):
    world.start("kim")
    number = world.open_order("kim")
    world.console("pay", "kim", number)
    assert [row.status for row in world.portone.schedules if row.merchant_uid == number] == ["revoked"]
    world.give_back(number, 4950)
    world.passes(days=32)
    assert [row.status for row in world.portone.payments if row.merchant_uid == number] == ["cancelled"]
    world.rest()


def test_what_becomes_of_a_parked_change_is_written_down_as_soon_as_it_is_told(world):
    world.start("kim")
    world.portone.cards["kim"] = Card.UNDECIDED
    world.command("kim", "change_plan", ChangePlan(at=When.NOW, quantity=2))
    world.passes(days=8)
    assert [each.kind for each in world.ledger.open_parked()] == ["change_mismatch"]
    world.approve(world.portone.payments[-1].imp_uid)
    world.passes(minutes=1)
    assert world.ledger.payments[world.portone.payments[-1].imp_uid].status == "paid"
    world.rest()


def test_a_run_that_looks_for_the_charge_of_a_resume_says_until_when(world):
    world.start("kim")
    world.portone.cards["kim"] = Card.UNDECIDED
    world.command("kim", "pause", PauseSubscription(at=When.PERIOD_END, resumes_at=world.now + timedelta(days=60)))
    world.passes(days=62)
    assert world.newest("kim").waits_until > world.now
    assert world.violations() == []


def test_what_is_left_twice_is_watched_once(world):
    world.start("kim", card=Card.UNDECIDED)
    world.command("kim", "cancel", CancelSubscription(at=When.NOW))
    state = world.temporal.runs["subscription/kim"].instance._subscription.state
    state.schedule.look(world.now)
    world.passes(days=9)
    assert not world.temporal.is_running("subscription/kim")
    assert [each.kind for each in world.ledger.open_parked()] == ["charge_left"]


def test_what_is_left_of_a_payment_is_given_back_though_somebody_refunded_a_part(world):
    world.start("kim", card=Card.DECLINED)
    (failed,) = world.portone.payments
    world.portone.faults.append(Fault("payments", Kind.BEFORE, 0.0, 2))
    world.approve(failed.imp_uid)
    world.passes(seconds=2)
    world.refund(failed.imp_uid, 4950)
    world.passes(minutes=5)
    assert [each.cancelled_amount for each in world.portone.payments] == [9900]
    assert world.ledger.open_parked() == []
    world.rest()


def test_what_watches_a_charge_that_was_left_outlives_an_outage(world):
    world.start("kim", card=Card.UNDECIDED)
    world.command("kim", "cancel", CancelSubscription(at=When.NOW))
    world.passes(days=7)
    (row,) = world.ledger.open_parked()
    world.portone.faults.append(Fault("schedule_row", Kind.BEFORE, 0.0, 3))
    world.passes(days=2)
    assert (row.kind, world.temporal.is_running(row.workflow_id)) == ("charge_left", True)
    (payment,) = world.portone.payments
    world.portone.webhooks.append(Webhooks.LOST)
    world.approve(payment.imp_uid)
    world.passes(days=2)
    assert [each.cancelled_amount for each in world.portone.payments] == [9900]
    world.rest()


def test_a_run_that_ended_while_its_subscription_lives_is_told(world):
    world.start("kim")
    world.temporal.terminate("subscription/kim")
    with pytest.raises(BrokenError, match="no_run_astray"):
        world.rest()
