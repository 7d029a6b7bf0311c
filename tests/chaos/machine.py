"""Lives drawn by Hypothesis: commands, mishaps and time in any order, on the real workflows in virtual time."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from billing.domain.consent import ConsentDecision
from billing.domain.dunning import EndAction
from billing.domain.parked import Decision
from billing.domain.subscription.choices import RefundAtCancel, When
from billing.domain.subscription.consent_answer import ConsentAnswer
from billing.domain.takeover import TakeOver
from billing.domain.verdict import net_amount
from chaos.machine.agreed import Agreed
from chaos.machine.left_before import AS_IT_COSTS, CHEAPER, LeftBefore
from chaos.machine.mishaps import CHANGES, LOOKS, Card, Fault, Kind, Webhooks
from chaos.machine.world import BrokenError, World
from workflows.subscription.commands.answer_consent import AnswerConsent
from workflows.subscription.commands.cancel import CancelSubscription
from workflows.subscription.commands.cancel_change import CancelChange
from workflows.subscription.commands.change_payment_method import ChangePaymentMethod
from workflows.subscription.commands.change_plan import ChangePlan
from workflows.subscription.commands.change_trial import ChangeTrial
from workflows.subscription.commands.pause import PauseSubscription
from workflows.subscription.commands.resume import ResumeSubscription
from workflows.subscription.commands.retry import RetryNow
from workflows.subscription.commands.skip import SkipPeriods
from workflows.subscription.commands.undo_cancel import UndoCancel
from workflows.subscription.commands.undo_skip import UndoSkip

CUSTOMERS = st.sampled_from(["kim", "lee"])
CARDS = st.sampled_from([Card.GOOD, Card.GOOD, Card.GOOD, Card.DECLINED, Card.UNDECIDED])
AGREED = st.sampled_from(
    [
        {},
        {},
        {"trial_days": 3},
        {"weekly": True},
        {"weekly": True, "max_cycles": 2},
        {"trial_days": 3, "consent": True},
        {"trial_days": 3, "without_card": True},
        {"trial_days": 3, "without_card": True, "held": True},
        {"weekly": True, "consent": True, "held": True, "percent_off": 30},
        {"weekly": True, "percent_off": 100},
        {"weekly": True, "end_action": EndAction.UNPAID},
        {"end_action": EndAction.LEAVE, "notice_days": 7},
        {"end_action": EndAction.CANCEL, "max_cycles": 1},
    ]
)
PLANS = st.sampled_from([None, None, Agreed().plan(), Agreed(weekly=True).plan()])
BEFORE = st.builds(
    LeftBefore,
    paid_days=st.sampled_from([None, 2, 9]),
    charged=st.sampled_from([None, AS_IT_COSTS, CHEAPER]),
    scheduled=st.sampled_from([None, AS_IT_COSTS, CHEAPER]),
    take_over=st.sampled_from([*TakeOver]),
)
WHEN = st.sampled_from([When.NOW, When.PERIOD_END])
CHANGE_FAULTS = st.builds(
    Fault,
    st.sampled_from(CHANGES),
    st.sampled_from([Kind.BEFORE, Kind.AFTER, Kind.LATE, Kind.TURNED_AWAY]),
    st.sampled_from([5.0, 60.0, 300.0, 540.0]),
    st.sampled_from([1, 2, 4, 9]),
)
LOOK_FAULTS = st.builds(
    Fault,
    st.sampled_from(LOOKS),
    st.sampled_from([Kind.BEFORE, Kind.STALE]),
    st.sampled_from([2.0, 30.0, 120.0]),
    st.integers(1, 6),
)
DISTANCES = st.sampled_from(
    [
        timedelta(seconds=3),
        timedelta(minutes=1),
        timedelta(minutes=6),
        timedelta(minutes=11),
        timedelta(hours=2),
        timedelta(days=1),
        timedelta(days=3),
        timedelta(days=8),
        timedelta(days=31),
    ]
)
AROUND = st.sampled_from([timedelta(seconds=-20), timedelta(0), timedelta(seconds=2), timedelta(minutes=4)])


def _answer(decision):
    return ConsentAnswer(decision=decision, shown="9,900원을 9,900원으로", by="kim@example.com")


class Lives(RuleBasedStateMachine):
    """Two customers of one merchant, and whatever may befall them; judged once everything has come to rest."""

    judged = 0
    """Lives that have come to rest and were judged, in this process."""

    def __init__(self):
        super().__init__()
        self.world = None
        self.keys = 0

    @initialize(rolls_after=st.sampled_from([None, None, 60, 150]), card=CARDS, agreed=AGREED)
    def begin(self, rolls_after, card, agreed):
        """One subscription there always is."""
        self.world = World(rolls_after)
        self._do(lambda world: world.start("kim", card=card, **agreed))

    def _do(self, act):
        try:
            return act(self.world)
        except BrokenError as error:
            raise AssertionError(f"{error}\n{self.world.told()}") from error

    # ------------------------------------------------------------ time

    @rule(distance=DISTANCES)
    def time_passes(self, distance):
        self._do(lambda world: world.passes(seconds=distance.total_seconds()))

    @rule(customer=CUSTOMERS, around=AROUND)
    def a_charge_comes_due(self, customer, around):
        left = self.world.until_due(customer)
        if left is not None and left + around > timedelta(0):
            self._do(lambda world: world.passes(seconds=(left + around).total_seconds()))

    # ------------------------------------------------------------ mishaps

    @rule(fault=st.one_of(CHANGE_FAULTS, LOOK_FAULTS))
    def a_call_goes_wrong(self, fault):
        self.world.portone.faults.append(Fault(fault.call, fault.kind, fault.seconds, fault.times))

    @rule(how=st.sampled_from([*Webhooks]))
    def a_webhook_goes_wrong(self, how):
        self.world.portone.webhooks.append(how)

    @rule(customer=CUSTOMERS, card=CARDS)
    def a_card_changes_its_mind(self, customer, card):
        record = self.world.newest(customer)
        key = (record.billing_key or customer) if record is not None else customer
        self.world.portone.cards[key] = card

    @rule(which=st.integers(0, 9))
    def an_unpaid_payment_is_approved_after_all(self, which):
        rows = [row for row in self.world.portone.payments if row.status in ("failed", "ready")]
        if rows:
            self.world.approve(rows[which % len(rows)].imp_uid)

    # ------------------------------------------------------------ people

    @rule(customer=CUSTOMERS, card=CARDS, agreed=AGREED)
    def start(self, customer, card, agreed):
        self._do(lambda world: world.start(customer, card=card, **agreed))

    @rule(customer=CUSTOMERS, card=CARDS, before=BEFORE, weekly=st.booleans())
    def moves_here(self, customer, card, before, weekly):
        self._do(lambda world: world.move_here(customer, before, card=card, weekly=weekly))

    @rule(card=CARDS, kept=st.booleans())
    def pays_once_by_card(self, card, kept):
        self.keys += 1
        key = f"kept_{self.keys}" if kept else None
        self._do(lambda world: world.pay_by_card(card, key))

    @rule(customer=CUSTOMERS, card=CARDS, agreed=AGREED, days=st.sampled_from([0, 0, 3, 33]))
    def terminated_and_started_again(self, customer, card, agreed, days):
        if self.world.terminate(customer):
            self._do(lambda world: world.passes(days=days))
            self._do(lambda world: world.start(customer, card=card, **agreed))

    @rule(customer=CUSTOMERS, at=WHEN, refund=st.sampled_from([*RefundAtCancel]))
    def cancel(self, customer, at, refund):
        refund = refund if at is When.NOW else RefundAtCancel.NONE
        self._command(customer, "cancel", CancelSubscription(at=at, refund=refund))

    @rule(customer=CUSTOMERS)
    def undo_cancel(self, customer):
        self._command(customer, "undo_cancel", UndoCancel())

    @rule(customer=CUSTOMERS, at=WHEN, days=st.sampled_from([None, 2, 40]))
    def pause(self, customer, at, days):
        resumes_at = self.world.now + timedelta(days=days) if days else None
        self._command(customer, "pause", PauseSubscription(at=at, resumes_at=resumes_at))

    @rule(customer=CUSTOMERS)
    def resume(self, customer):
        self._command(customer, "resume", ResumeSubscription())

    @rule(customer=CUSTOMERS, at=WHEN, quantity=st.integers(1, 3), plan=PLANS)
    def change_plan(self, customer, at, quantity, plan):
        self._command(customer, "change_plan", ChangePlan(at=at, quantity=quantity, plan=plan))

    @rule(customer=CUSTOMERS)
    def cancel_change(self, customer):
        self._command(customer, "cancel_change", CancelChange())

    @rule(customer=CUSTOMERS, days=st.sampled_from([None, 1, 20]), granted=st.booleans())
    def change_trial(self, customer, days, granted):
        ends_at = self.world.now + timedelta(days=days) if days else None
        consent = _answer(ConsentDecision.GRANTED) if granted and days is None else None
        self._command(customer, "change_trial", ChangeTrial(ends_at=ends_at, consent=consent))

    @rule(customer=CUSTOMERS, decision=st.sampled_from([*ConsentDecision]))
    def answer_consent(self, customer, decision):
        self._command(customer, "answer_consent", AnswerConsent(**_answer(decision).model_dump()))

    @rule(customer=CUSTOMERS, card=CARDS)
    def change_payment_method(self, customer, card):
        self.keys += 1
        self.world.vault[f"other_{self.keys}"] = card
        message = ChangePaymentMethod(customer_uid=f"{customer}_{self.keys}", vault_handle=f"other_{self.keys}")
        self._command(customer, "change_payment_method", message)

    @rule(customer=CUSTOMERS)
    def retry(self, customer):
        self._command(customer, "retry", RetryNow())

    @rule(customer=CUSTOMERS, periods=st.integers(1, 2))
    def skip(self, customer, periods):
        self._command(customer, "skip", SkipPeriods(periods=periods))

    @rule(customer=CUSTOMERS)
    def undo_skip(self, customer):
        self._command(customer, "undo_skip", UndoSkip())

    def _command(self, customer, name, message):
        self._do(lambda world: world.command(customer, name, message))

    @precondition(lambda self: self.world is not None and self.world.ledger.open_parked())
    @rule(decision=st.sampled_from([*Decision]), which=st.integers(0, 3))
    def decide(self, decision, which):
        self._do(lambda world: world.decide(decision, which))

    # ------------------------------------------------------------ PortOne's console

    @rule(customer=CUSTOMERS, act=st.sampled_from(["execute", "revoke", "pay"]))
    def in_the_console(self, customer, act):
        number = self.world.open_order(customer)
        if number is not None:
            self._do(lambda world: world.console(act, customer, number))

    @rule(which=st.integers(0, 9), half=st.booleans())
    def refunded_by_the_shop(self, which, half):
        held = [
            row
            for row in self.world.portone.payments
            if net_amount(row) and row.merchant_uid in self.world.ledger.charges
        ]
        if held:
            row = held[which % len(held)]
            amount = max(1, net_amount(row) // 2) if half else None
            self._do(lambda world: world.give_back(row.merchant_uid, amount))

    @rule(which=st.integers(0, 9), half=st.booleans())
    def refunded_in_the_console(self, which, half):
        held = [row for row in self.world.portone.payments if net_amount(row)]
        if held:
            row = held[which % len(held)]
            amount = max(1, net_amount(row) // 2) if half else net_amount(row)
            self._do(lambda world: world.refund(row.imp_uid, amount))

    @rule(customer=CUSTOMERS)
    def the_key_is_deleted_by_the_shop(self, customer):
        self._do(lambda world: world.delete_key(customer))

    @rule()
    def reconciliation(self):
        self._do(lambda world: world.reconcile())

    # ------------------------------------------------------------ the end

    def teardown(self):
        if self.world is None:
            return
        try:
            self._do(lambda world: world.rest())
            Lives.judged += 1
        finally:
            self.world.close()
