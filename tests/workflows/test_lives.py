"""Random lives of changes, refunds, pauses, coupons and cancels: every won is used, credit, back, or still paid for."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from billing.domain import bills, books
from billing.domain.calendar import Interval, IntervalUnit
from billing.domain.coupons import Coupon
from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.domain.proration import ProrationMode
from billing.domain.subscription import change_quote, pause_rest, returns
from billing.domain.subscription.choices import RefundAtCancel, ResumeAnchor, When
from tests.domain.drawn import MONTHLY, coupons
from tests.workflows.lives import Life

DAYS = Interval(IntervalUnit.DAY, 30)
YEARLY = Interval(IntervalUnit.YEAR)
NEW, OLD, NOW = ResumeAnchor.NEW, ResumeAnchor.OLD, When.NOW
PRORATED = RefundAtCancel.PRORATED

prices = st.sampled_from([0, 7, 1_000, 9_900, 30_000]) | st.integers(0, 200_000)
intervals = st.sampled_from([MONTHLY, MONTHLY, DAYS, Interval(IntervalUnit.DAY, 7), YEARLY])
zones = st.sampled_from(["Asia/Seoul", "Asia/Seoul", "America/New_York"])


def plan_of(price, interval=DAYS, zone="Asia/Seoul", max_cycles=None):
    return PlanTerms("이용권", Money(price), interval, zone=zone, max_cycles=max_cycles)


plans = st.builds(plan_of, prices, intervals, zones, st.none() | st.integers(1, 4))
maybe_coupons = st.none() | coupons()


class Lives(RuleBasedStateMachine):
    """What a buyer, a merchant and PortOne's console may do, in any order."""

    taken = 0

    @initialize(
        plan=plans, quantity=st.integers(1, 3), coupon=maybe_coupons, pg=st.sampled_from([None, "kcp"]),
        day=st.none() | st.integers(1, 31),
    )  # fmt: skip
    def start(self, plan, quantity, coupon, pg, day):
        by_months = plan.interval.unit in (IntervalUnit.MONTH, IntervalUnit.YEAR)
        self.life = Life(plan, quantity, coupon, pg, billing_day=day if by_months else None)

    def alive(self):
        return not self.life.ended

    def active(self):
        return self.alive() and self.life.state.pause.since is None

    def paused(self):
        return self.alive() and self.life.state.pause.since is not None

    def changes_now(self):
        return self.active() and self.life.book.used < len(self.life.book.sold)

    @rule(days=st.integers(0, 45), hours=st.integers(0, 23))
    def wait(self, days, hours):
        self.life.wait(days * 24 + hours)

    @precondition(changes_now)
    @rule(
        plan=st.none() | plans, quantity=st.none() | st.integers(1, 3), coupon=maybe_coupons, gone=st.booleans(),
        mode=st.sampled_from(ProrationMode),
    )  # fmt: skip
    def change_now(self, plan, quantity, coupon, gone, mode):
        gone = gone and coupon is None
        self.life.change(plan=plan, quantity=quantity, coupon=coupon, without_coupon=gone, at=NOW, proration=mode)

    @precondition(alive)
    @rule(plan=st.none() | plans, quantity=st.none() | st.integers(1, 3), coupon=maybe_coupons)
    def change_with_the_next_period(self, plan, quantity, coupon):
        self.life.change(plan=plan, quantity=quantity, coupon=coupon)

    @precondition(lambda self: any(paid > back for paid, back in self.life.portone.values()))
    @rule(which=st.integers(0, 3), part=st.sampled_from([1.0, 1.0, 0.5]) | st.floats(0, 1))
    def refund(self, which, part):
        holding = [number for number, (paid, back) in self.life.portone.items() if paid > back]
        number = holding[-1 - which % len(holding)]
        paid, back = self.life.portone[number]
        self.life.refund(number, max(1, int((paid - back) * part)))

    @precondition(changes_now)
    @rule()
    def pause_now(self):
        self.life.pause()

    @precondition(active)
    @rule()
    def pause_with_the_period(self):
        self.life.pause(at_period_end=True)

    @precondition(paused)
    @rule(anchor=st.sampled_from(ResumeAnchor), declined=st.booleans())
    def resume(self, anchor, declined):
        self.life.resume(anchor, declined=declined)

    @precondition(alive)
    @rule(how=st.sampled_from(RefundAtCancel), really=st.integers(0, 3))
    def cancel(self, how, really):
        if not really:
            self.life.cancel(how)

    def teardown(self):
        if hasattr(self, "life"):
            Lives.taken += self.life.steps


def lived(examples, steps):
    Lives.taken = 0
    profile = settings(max_examples=examples, stateful_step_count=steps, deadline=None, print_blob=True)
    run_state_machine_as_test(Lives, settings=profile)
    print(f"{examples} lives, {Lives.taken} steps, each agreed to the won")  # noqa: T201 - what the proof is worth
    return Lives.taken


def test_in_any_life_the_money_is_what_the_days_were_worth_to_the_won():
    assert lived(200, 20) > 2_000


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_in_thousands_of_lives_the_money_is_what_the_days_were_worth_to_the_won():
    assert lived(5_000, 40) > 80_000


# ---------------------------------------------------------------- each kind of loss, by name, and the rule it broke


def paid_month(price=30_000, **more):
    return Life(plan_of(price, **more))


def a_refund_leaves_nothing_to_credit():
    life = paid_month()
    life.refund("n0", 30_000)
    life.change(plan=plan_of(3_000), at=NOW)
    assert (life.charged, life.state.paid.balance) == ([30_000, 3_000], 0)


def a_partial_refund_leaves_what_is_still_paid():
    life = paid_month()
    life.refund("n0", 12_000)
    life.wait(10 * 24)
    life.change(plan=plan_of(3_000), at=NOW)
    assert life.state.paid.balance == 2_000 - (20_000 - 12_000)


def a_refund_of_a_credit_uses_it_up():
    life = Life(plan_of(100_000, YEARLY))
    life.change(plan=plan_of(10_000, MONTHLY), at=NOW)
    assert life.state.paid.balance == -90_000
    life.refund("n0", 90_000)
    assert life.state.paid.balance == 0
    life.wait(31 * 24)
    assert life.charged == [100_000, 10_000]


def a_rest_that_went_back_is_not_given_again():
    life = paid_month()
    life.pause()
    life.refund("n0", 30_000)
    life.wait(20 * 24)
    life.resume()
    assert life.charged == [30_000, 30_000]


def what_is_left_of_a_rest_counts_toward_the_period_it_goes_on_with():
    life = paid_month()
    life.wait(10 * 24)
    life.pause()
    life.refund("n0", 15_000)
    life.wait(5 * 24)
    life.resume()
    assert life.charged == [30_000, 25_000]


def a_refund_of_used_days_leaves_the_rest_as_days():
    life = paid_month(1_000)
    life.wait(2 * 24)
    life.change(plan=plan_of(0), at=NOW)
    life.pause()
    life.refund("n0", 1_000)
    life.wait(5 * 24)
    life.resume()
    life.wait(27 * 24)
    assert (life.charged, life.state.paid.balance) == ([1_000], 0)


def paused_days_are_no_used_days():
    life = paid_month()
    life.pause()
    life.wait(40 * 24)
    assert life.cancel(PRORATED) == 30_000


def paid_days_are_not_lost_on_the_old_billing_day():
    life = paid_month(1_000)
    life.pause()
    life.wait(40 * 24)
    life.resume(OLD)
    assert (life.charged, life.state.paid.balance) == ([1_000], -1_000 + 667)
    life.wait(20 * 24)
    assert life.charged == [1_000, 1_000 - 333]


def days_that_stood_still_are_not_lost_within_the_period():
    life = paid_month()
    life.pause()
    life.wait(12 * 24)
    life.resume(OLD)
    life.wait(18 * 24)
    assert life.charged == [30_000, 30_000 - 12_000]


def a_term_counts_what_was_given():
    life = paid_month(max_cycles=2)
    life.pause()
    life.wait(40 * 24)
    life.resume(OLD)
    life.wait(20 * 24)
    assert (sum(life.charged), life.ended) == (20_000 + 30_000, False)
    life.wait(31 * 24)
    assert (sum(life.charged), life.ended) == (20_000 + 30_000, True)


def the_last_period_of_a_term_is_given_as_days():
    life = paid_month(max_cycles=1)
    life.wait(10 * 24)
    life.pause()
    life.wait(40 * 24)
    life.resume(OLD)
    life.wait(19 * 24)
    assert not life.ended
    life.wait(2 * 24)
    assert (life.charged, life.ended) == ([30_000], True)


def a_balance_nets_to_nothing_with_a_refund():
    life = paid_month(9_000)
    life.change(quantity=2, at=NOW)
    life.change(quantity=1, at=NOW)
    assert life.state.paid.balance == -9_000
    assert life.cancel(PRORATED) == 18_000
    assert life.state.paid.balance == 0


def all_that_is_owed_goes_back_through_the_order_that_paid_it():
    life = Life(plan_of(120_000, YEARLY))
    life.wait(24)
    life.change(plan=plan_of(10_000, MONTHLY), at=NOW)
    assert life.cancel(PRORATED) == 119_672
    assert life.portone == {"n0": [120_000, 119_672]}


def a_month_that_a_credit_paid_goes_back_too():
    life = Life(plan_of(120_000, YEARLY))
    life.change(plan=plan_of(10_000), at=NOW)
    life.wait(45 * 24)
    assert life.cancel(PRORATED) == 120_000 - 15_000


def a_period_that_cost_nothing_uses_no_coupon():
    life = Life(plan_of(0), coupon=Coupon("HALF", percent_off=50))
    life.change(plan=plan_of(10_000))
    life.wait(30 * 24)
    assert life.charged == [5_000]
    life.wait(30 * 24)
    assert life.charged == [5_000, 10_000]


def a_coupon_that_begins_to_count_within_a_period_counts_once():
    life = Life(plan_of(0), coupon=Coupon("HALF", percent_off=50))
    life.change(plan=plan_of(10_000), at=NOW)
    life.wait(30 * 24)
    assert life.charged == [5_000, 10_000]


def nothing_goes_back(self, *_):
    return self


DAY = books.Books.day


def pauses_use_days_up(self, at):
    return DAY(replace(self, paused_at=None), at)


TODAY = {
    "a refund changes nothing": (books.Books, "went_back", nothing_goes_back),
    "a pause uses days up": (books.Books, "day", pauses_use_days_up),
    "what is left is given again": (books.Books, "gives_days", lambda _self, _at: True),
    "a refund of used days takes the rest": (books.Books, "gives_days", lambda self, _at: not self.given_back),
    "the rest is forfeited": (books.Books, "settled", lambda self, _at: self),
    "days that stood still are forfeited": (books.Books, "kept", nothing_goes_back),
    "a term counts periods begun": (books.Books, "part_left", lambda _self, _at: 0),
    "the last period has a billing day, too": (pause_rest, "last_anchor", pause_rest.possible_anchor),
    "a refund of ours changes nothing": (returns, "gave_back", lambda *_: None),
    "credit has no order": (books, "_newest", lambda *_: ()),
    "a coupon is used up by nothing": (bills.Holding, "discounted", property(lambda self: self.coupon is not None)),
    "a coupon of the running period is not counted": (change_quote, "_uses_its_coupon", lambda *_: False),
}
"""The rules as they were, each of which is caught by the life beside it."""

RARE = {"a refund of used days takes the rest", "a coupon of the running period is not counted"}
"""Rules that a random life meets once in many thousand: the life beside each catches it every time."""

CAUGHT = [
    (a_refund_leaves_nothing_to_credit, "a refund changes nothing"),
    (a_partial_refund_leaves_what_is_still_paid, "a refund changes nothing"),
    (a_refund_of_a_credit_uses_it_up, "a refund changes nothing"),
    (a_rest_that_went_back_is_not_given_again, "what is left is given again"),
    (what_is_left_of_a_rest_counts_toward_the_period_it_goes_on_with, "what is left is given again"),
    (a_refund_of_used_days_leaves_the_rest_as_days, "a refund of used days takes the rest"),
    (paused_days_are_no_used_days, "a pause uses days up"),
    (paid_days_are_not_lost_on_the_old_billing_day, "the rest is forfeited"),
    (days_that_stood_still_are_not_lost_within_the_period, "days that stood still are forfeited"),
    (a_term_counts_what_was_given, "a term counts periods begun"),
    (the_last_period_of_a_term_is_given_as_days, "the last period has a billing day, too"),
    (a_balance_nets_to_nothing_with_a_refund, "a refund of ours changes nothing"),
    (all_that_is_owed_goes_back_through_the_order_that_paid_it, "credit has no order"),
    (a_month_that_a_credit_paid_goes_back_too, "credit has no order"),
    (a_period_that_cost_nothing_uses_no_coupon, "a coupon is used up by nothing"),
    (a_coupon_that_begins_to_count_within_a_period_counts_once, "a coupon of the running period is not counted"),
]


@pytest.mark.parametrize("row", [row for row, _ in CAUGHT], ids=lambda row: row.__name__)
def test_money_is_right_where_it_once_was_not(row):
    row()


@pytest.mark.parametrize(("row", "rule_of_old"), CAUGHT, ids=lambda each: getattr(each, "__name__", each))
def test_the_book_of_days_catches_the_rule_as_it_was(row, rule_of_old, monkeypatch):
    monkeypatch.setattr(*TODAY[rule_of_old])
    with pytest.raises(AssertionError):
        row()


@pytest.mark.soak
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("rule_of_old", [rule for rule in TODAY if rule not in RARE])
def test_random_lives_catch_the_rule_as_it_was(rule_of_old, monkeypatch):
    monkeypatch.setattr(*TODAY[rule_of_old])
    profile = settings(
        max_examples=2_000, stateful_step_count=20, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False, derandomize=True,
    )  # fmt: skip
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Lives, settings=profile)
