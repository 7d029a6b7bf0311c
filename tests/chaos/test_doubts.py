"""What nobody knows for a while: whether a charge was revoked, or registered, and what PortOne has while it is away."""

import pytest

from billing.domain.subscription.choices import When
from billing.domain.subscription.start import subscription_workflow_id
from chaos.machine.mishaps import Card, Fault, Kind, Webhooks
from workflows.subscription.commands.cancel import CancelSubscription
from workflows.subscription.commands.change_payment_method import ChangePaymentMethod
from workflows.subscription.commands.pause import PauseSubscription
from workflows.subscription.commands.resume import ResumeSubscription


@pytest.mark.parametrize("outage", [False, True])
def test_a_charge_that_portone_said_it_revoked_is_charged_though_looks_lag_behind(world, outage):
    world.start("kim")
    world.passes(days=1)
    number = world.open_order("kim")
    world.portone.faults.append(Fault("schedule_row", Kind.STALE, 60.0, 5))
    if outage:
        world.portone.faults.append(Fault("payments", Kind.BEFORE, 0.0, 4))
    world.vault["other"] = Card.GOOD
    changed = ChangePaymentMethod(customer_uid="kim_1", vault_handle="other")
    came = world.command("kim", "change_payment_method", changed)
    assert (came == "charge_unknown") is outage
    world.passes(days=32)
    (row,) = [row for row in world.portone.schedules if row.merchant_uid == number]
    assert row.status == ("executed" if outage else "revoked")
    assert len([row for row in world.portone.payments if row.status == "paid"]) == 2
    assert world.ledger.parked == {}
    world.rest()


@pytest.mark.parametrize("at", [When.NOW, When.PERIOD_END])
def test_a_charge_that_could_not_be_registered_yet_is_not_planned_any_more_once_it_is_canceled(world, at):
    world.portone.faults.append(Fault("schedule", Kind.BEFORE, 0.0, 9))
    world.start("kim")
    world.passes(minutes=20)
    number = world.open_order("kim")
    world.command("kim", "cancel", CancelSubscription(at=at))
    world.passes(days=32)
    assert world.newest("kim").status == "canceled"
    assert world.ledger.charges[number].state == "skipped"
    world.rest()


def test_an_outage_of_days_is_told_after_one_and_asked_about_less_and_less(world):
    def overdue():
        return "nothing_due_unlisted" in {name for name, _ in world.violations()}

    world.start("kim")
    world.passes(days=30)
    world.portone.faults.append(Fault("payments", Kind.BEFORE, 0.0, 1_000_000))
    world.portone.webhooks.append(Webhooks.LOST)
    world.passes(days=1, hours=23)
    assert not overdue()
    world.passes(hours=5)
    assert overdue()
    run = world.temporal.runs[subscription_workflow_id("kim")]
    before = run.events
    world.passes(days=1)
    assert run.events - before < 300
    world.portone.faults.clear()
    world.passes(hours=2)
    assert len([row for row in world.portone.payments if row.status == "paid"]) == 2
    assert not overdue()
    world.rest()


def test_a_charge_we_revoked_is_no_news_while_it_is_still_in_doubt(world):
    world.start("kim")
    world.passes(days=1)
    world.portone.faults.append(Fault("payments", Kind.BEFORE, 0.0, 3))
    world.vault["other"] = Card.GOOD
    changed = ChangePaymentMethod(customer_uid="kim_1", vault_handle="other")
    assert world.command("kim", "change_payment_method", changed) == "charge_unknown"
    world.reconcile()
    assert world.ledger.parked == {}
    world.passes(days=32)
    assert len([row for row in world.portone.payments if row.status == "paid"]) == 2
    world.rest()


def test_a_charge_that_stands_again_is_not_called_revoked_by_a_look_that_lags_behind(world):
    world.start("kim")
    world.command("kim", "pause", PauseSubscription(at=When.NOW))
    world.passes(minutes=5)
    world.command("kim", "resume", ResumeSubscription())
    world.portone.faults.append(Fault("schedule_row", Kind.STALE, 20.0, 1))
    world.reconcile()
    assert world.ledger.parked == {}
    world.passes(days=32)
    assert len([row for row in world.portone.payments if row.status == "paid"]) == 2
    world.rest()


def test_a_charge_that_stands_again_and_is_revoked_in_the_console_is_told_when_no_look_can_lag_so_far(world):
    world.start("kim")
    world.command("kim", "pause", PauseSubscription(at=When.NOW))
    world.passes(minutes=5)
    world.command("kim", "resume", ResumeSubscription())
    number = world.open_order("kim")
    world.console("revoke", "kim", number)
    world.reconcile()
    assert world.ledger.parked == {}
    world.passes(minutes=10)
    assert [each.merchant_uid for each in world.ledger.open_parked()] == [number]
    world.rest()


def test_a_webhook_in_an_outage_lets_portone_be_asked_at_once(world):
    world.start("kim")
    number, left = world.open_order("kim"), world.until_due("kim")
    world.portone.faults.append(Fault("payments", Kind.BEFORE, 0.0, 1_000_000))
    world.portone.webhooks.append(Webhooks.DELAYED)
    world.passes(seconds=left.total_seconds() + 3570)
    world.portone.faults.clear()
    world.passes(seconds=20)
    assert world.ledger.charges[number].state == "planned"
    world.passes(seconds=20)
    assert world.ledger.charges[number].state == "paid"
    world.rest()
