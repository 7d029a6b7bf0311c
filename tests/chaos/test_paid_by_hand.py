"""What somebody pays, runs or refunds in PortOne's console while the product is at something else, in virtual time."""

from datetime import timedelta

import pytest

from billing.domain.subscription.choices import When
from chaos.machine.mishaps import Card, Fault, Kind, Webhooks
from workflows.subscription.commands.cancel import CancelSubscription
from workflows.subscription.commands.change_payment_method import ChangePaymentMethod
from workflows.subscription.commands.pause import PauseSubscription
from workflows.subscription.commands.undo_cancel import UndoCancel


def standing(world, number):
    """How the schedule of an order stands at PortOne."""
    return [row.status for row in world.portone.schedules if row.merchant_uid == number]


def other_card(world, card=Card.GOOD):
    """The order to charge another card."""
    world.vault["other"] = card
    return ChangePaymentMethod(customer_uid="kim_other", vault_handle="other")


def paid(world):
    """Each payment with what of it went back."""
    return [(row.status, row.cancelled_amount) for row in world.portone.payments]


def test_what_was_paid_early_and_partly_refunded_before_the_look_is_not_charged_again(world):
    world.start("kim")
    number = world.open_order("kim")
    world.portone.webhooks.append(Webhooks.LOST)
    world.console("pay", "kim", number)
    world.refund(world.portone.payments[-1].imp_uid, 4950)
    assert standing(world, number) == ["revoked"]
    world.passes(days=40)
    assert paid(world) == [("paid", 0), ("cancelled", 4950)]
    assert [each.merchant_uid for each in world.ledger.open_parked()] == [number]


def test_what_stands_for_it_is_taken_back_until_it_is_though_portone_does_not_answer(world):
    world.start("kim")
    number = world.open_order("kim")
    world.portone.webhooks.append(Webhooks.LOST)
    world.portone.faults.append(Fault("unschedule", Kind.BEFORE, 0.0, 3))
    world.console("pay", "kim", number)
    world.refund(world.portone.payments[-1].imp_uid, 4950)
    assert standing(world, number) == ["scheduled"]
    world.passes(days=40)
    assert standing(world, number) == ["revoked"]
    assert paid(world) == [("paid", 0), ("cancelled", 4950)]
    world.rest()


def test_a_start_whose_first_charge_is_not_as_ordered_before_it_stands_fails_and_gives_it_back(world):
    world.portone.faults.append(Fault("schedule", Kind.BEFORE, 5.0, 3))
    world.start("kim", trial_days=3)
    world.portone.webhooks.append(Webhooks.LOST)
    world.console("pay", "kim", world.open_order("kim"))
    world.refund(world.portone.payments[-1].imp_uid, 4950)
    world.passes(minutes=20)
    assert world.newest("kim").status == "incomplete_expired"
    assert paid(world) == [("cancelled", 9900)]
    world.rest()
    assert world.ledger.open_parked() == []
    world.start("kim")
    assert world.newest("kim").status == "active"


def test_one_look_that_lags_does_not_take_the_key_of_a_paid_start_for_absent(world):
    world.portone.faults.append(Fault("schedule", Kind.BEFORE, 5.0, 3))
    world.start("kim", trial_days=3)
    world.portone.faults.append(Fault("key", Kind.STALE, 120.0, 1))
    world.console("pay", "kim", world.open_order("kim"))
    world.passes(days=50)
    assert paid(world) == [("paid", 0)] * 2
    world.rest()


@pytest.mark.parametrize("seconds", [2.0, 120.0])
def test_what_pays_for_nothing_goes_back_though_the_look_before_its_refund_lags(world, seconds):
    world.start("kim")
    number = world.open_order("kim")
    world.command("kim", "pause", PauseSubscription(at=When.NOW))
    world.command("kim", "change_payment_method", other_card(world))
    world.portone.faults.append(Fault("payments", Kind.STALE, seconds, 1))
    world.console("pay", "kim", number)
    world.passes(minutes=11)
    assert paid(world) == [("paid", 0), ("cancelled", 9900)]
    assert world.ledger.open_parked() == []
    world.rest()


def test_an_undone_cancel_uses_no_other_number_while_the_first_may_still_be_paid(world):
    world.start("kim", card=Card.UNDECIDED, trial_days=3)
    number = world.open_order("kim")
    world.console("pay", "kim", number)
    world.portone.faults.append(Fault("unschedule", Kind.BEFORE, 0.0, 1))
    world.command("kim", "cancel", CancelSubscription(at=When.PERIOD_END))
    world.command("kim", "undo_cancel", UndoCancel())
    world.passes(days=1)
    assert standing(world, number) == ["scheduled"]
    assert [each for each in world.ledger.charges if each != number] == []


def test_an_earlier_number_that_was_paid_is_not_looked_at_without_end_while_the_newer_one_is_in_doubt(world):
    world.start("kim", trial_days=3, without_card=True)
    world.console("pay", "kim", world.open_order("kim"))
    world.portone.webhooks.append(Webhooks.LOST)
    world.approve(world.portone.payments[0].imp_uid)
    world.command("kim", "change_payment_method", other_card(world, Card.UNDECIDED))
    world.passes(days=4)
    before = world.temporal.asked.total()
    world.reconcile()
    world.passes(days=1)
    assert world.temporal.asked.total() - before < 150
    world.rest()


def test_an_open_payment_that_was_approved_is_open_no_more(world):
    world.start("kim", card=Card.UNDECIDED, trial_days=3)
    world.console("pay", "kim", world.open_order("kim"))
    world.command("kim", "cancel", CancelSubscription(at=When.PERIOD_END))
    world.command("kim", "undo_cancel", UndoCancel())
    world.approve(world.portone.payments[0].imp_uid)
    world.portone.cards["kim"] = Card.GOOD
    world.passes(days=5)
    world.command("kim", "cancel", CancelSubscription(at=When.NOW))
    world.passes(days=3)
    assert (world.newest("kim").status, list(world.ledger.parked)) == ("canceled", [])
    world.rest()


def test_an_open_payment_of_a_number_that_was_given_up_is_in_a_list_after_the_end(world):
    world.start("kim", card=Card.UNDECIDED, trial_days=3)
    number = world.open_order("kim")
    world.console("pay", "kim", number)
    world.command("kim", "cancel", CancelSubscription(at=When.PERIOD_END))
    world.portone.cards["kim"] = Card.GOOD
    world.console("pay", "kim", number)
    world.passes(days=3, hours=1)
    assert paid(world) == [("ready", 0), ("cancelled", 9900)]
    assert [(each.kind, each.merchant_uid) for each in world.ledger.open_parked()] == [("charge_left", number)]


@pytest.mark.parametrize("at", [When.NOW, When.PERIOD_END])
def test_a_pause_that_meets_a_payment_portone_has_not_finished_is_refused_and_says_so(world, at):
    world.start("kim")
    number = world.open_order("kim")
    world.portone.cards["kim"] = Card.UNDECIDED
    world.console("pay", "kim", number)
    resumes_at = world.now + timedelta(days=60)
    answered = world.command("kim", "pause", PauseSubscription(at=at, resumes_at=resumes_at))
    assert (answered.done, answered.code) == (False, "charge_unfinished")
    assert world.newest("kim").status == "active"
    assert standing(world, number) == ["scheduled"]


def test_a_card_that_was_never_sent_is_not_replaced_by_a_key_that_was_there(world):
    world.start("kim")
    world.command("kim", "cancel", CancelSubscription(at=When.NOW))
    world.passes(days=3)
    world.portone.faults.append(Fault("key", Kind.BEFORE, 0.0, 60))
    world.start("kim")
    world.console("pay", "kim", world.open_order("kim"))
    world.portone.faults.clear()
    world.passes(days=45)
    assert paid(world) == [("paid", 0)] * 2
    assert world.newest("kim").status == "paused"
    world.rest()
