"""A life of one subscription without Temporal: the run's own pure functions on one side, the book of days on the other.

Whatever happens is done to both, and after every step both must say the same: what was charged, what is credit, what
of the running days is still paid, what each order holds, what the ledger shows and what the preview tells.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from billing.domain.money import Money
from billing.domain.proration import ProrationMode
from billing.domain.records import PendingChange
from billing.domain.states import SubscriptionStatus
from billing.domain.subscription import change_quote, first_period, pause_rest, projections, returns
from billing.domain.subscription.choices import RefundAtCancel, ResumeAnchor, When
from billing.domain.subscription.orders import PaidOrder
from billing.domain.subscription.period_close import turn
from billing.domain.subscription.start import PortOneChannel, StartSubscription
from billing.domain.subscription.subscription import Subscription, begin
from tests.workflows.day_book import DayBook, discount_of, goes_on, price_of
from workflows.subscription.commands.change_plan import ChangePlan
from workflows.subscription.previewing import preview

BEGUN = datetime(2026, 1, 30, 23, 30, tzinfo=UTC)


class Life:
    """One subscription, active since its first charge."""

    def __init__(self, plan, quantity=1, coupon=None, pg=None, begun=BEGUN, billing_day=None):
        start = StartSubscription(
            subscription_id="s" + "0" * 19,
            customer_uid="buyer",
            plan=plan,
            quantity=quantity,
            coupon=coupon,
            channel=PortOneChannel(pg=pg),
        )
        state = begin(start, begun)
        state.status = SubscriptionStatus.ACTIVE
        self.run, self.now, self.ended, self.steps = Subscription(start, state), begun, False, 0
        self.portone, self.charged, self.refunded = {}, [], []
        self.held, self.pending = PendingChange(plan, quantity, coupon), None
        self.coupon_used, self.billed, self.counted = 0, None, None
        self.book = DayBook(least=1000 if pg == "kcp" else 0)
        first_period.lay(self.run, begun, billing_day)
        self._begin(state.periods.paid_days)

    @property
    def state(self):
        return self.run.state

    # ------------------------------------------------------------ what both must say

    def agrees(self):
        """Both sides say the same at this moment."""
        self.steps += 1
        book, books = self.book, self.run.terms.books()
        book.adds_up()
        assert book.paid_in - book.paid_back == sum(paid - back for paid, back in self.portone.values())
        assert self.state.paid.balance == -book.credit
        assert books.still_paid(self.now) == book.left
        assert books.owed(self.now) == max(0, book.left + book.credit)
        assert [[each.merchant_uid, each.amount] for each in books.orders if each.amount] == [
            each for each in book.purse if each[1]
        ]
        assert books.held == max(0, book.net() + book.credit) == sum(won for _, won in book.purse)
        shown = projections.life(self.run, self.now)
        assert shown.balance == -book.credit
        if not self.ended and self.state.pause.since is None and self.run.terms.next_charge_at() is not None:
            bill = preview(self.run, None, self.now).bill
            price = self._next_price()
            assert bill.amount.amount == book.due(price - book.credit, price)
            assert shown.next_amount == bill.amount

    # ------------------------------------------------------------ the buyer's side: what is held, and at what price

    def _wanted(self, order):
        base = (self.pending or self.held) if order.at is When.PERIOD_END else self.held
        coupon = None if order.without_coupon else order.coupon or base.coupon
        anew = order.coupon is not None or (base.coupon_anew and coupon is not None)
        return PendingChange(order.plan or base.plan, order.quantity or base.quantity, coupon, anew)

    def _used(self, wanted):
        return self.coupon_used if wanted.coupon == self.held.coupon and not wanted.coupon_anew else 0

    def _coupon(self, wanted):
        return wanted.coupon if wanted.coupon and goes_on(wanted.coupon, self._used(wanted)) else None

    def _next_price(self):
        wanted = self.pending or self.held
        return price_of(wanted.plan, wanted.quantity, self._coupon(wanted))

    def _take(self, wanted, coupon, *, billed):
        """Hold something else from now on; what is billed with a coupon that takes something off has used it."""
        takes_off = discount_of(coupon, wanted.plan.price.amount * wanted.quantity) > 0
        uses = billed and takes_off and coupon == wanted.coupon and coupon != self.counted
        self.coupon_used = self._used(wanted) + uses
        self.counted = coupon if uses else self.counted
        self.held = PendingChange(wanted.plan, wanted.quantity, wanted.coupon)

    # ------------------------------------------------------------ money

    def _charge(self, amount):
        """PortOne charges it; answers the order that paid, or nothing where nothing was charged."""
        if not amount:
            return None
        number = f"n{len(self.portone)}"
        self.portone[number] = [amount, 0]
        self.charged.append(amount)
        return PaidOrder(merchant_uid=number, imp_uid=number, amount=Money(amount))

    def refund(self, number, amount):
        """Somebody refunds, here or in PortOne's console; it is told more than once."""
        self.portone[number][1] += amount
        for _ in range(2):
            after = self.run.terms.books().went_back(number, number, self.portone[number][1])
            self.run.keep(after)
        self.book.refund(number, amount)
        self.agrees()

    # ------------------------------------------------------------ time

    def _day(self, at):
        return at.astimezone(ZoneInfo(self.state.paid.by.terms.zone)).date()

    def _days(self):
        start, end = self.run.terms.whole_period()
        return max(1, (self._day(end) - self._day(start)).days)

    def _index(self):
        start, _ = self.run.terms.whole_period()
        return min((self._day(self.now) - self._day(start)).days, self._days())

    def wait(self, hours):
        """Time passes, and with it periods."""
        if self.ended:
            return
        until = self.now + timedelta(hours=hours)
        while not self.ended and self.state.pause.since is None and self.state.periods.end <= until:
            self.now = self.state.periods.end
            self.book.used = len(self.book.sold)
            self._boundary()
            self.agrees()
        self.now = max(self.now, until)
        if not self.ended and self.state.pause.since is None:
            self.book.used = self._index()
        self.agrees()

    def _boundary(self):
        if self.state.pause.at_period_end:
            self._stop()
        elif not self.book.another_begins((self.pending or self.held).plan.max_cycles):
            assert self.run.terms.term_is_paid
            self.ended = True
        else:
            assert not self.run.terms.term_is_paid
            self._begin()

    def _begin(self, entered=0):
        """The next period is charged and begins."""
        wanted, price = self.pending or self.held, self._next_price()
        coupon, bill = self._coupon(wanted), self.run.terms.bill()
        assert preview(self.run, None, self.now).bill == bill
        paid = self._charge(bill.amount.amount)
        self.state.paid.cycles += 1
        turn(self.run, None, paid)
        self.state.status, self.state.pause.since = SubscriptionStatus.ACTIVE, None
        self.counted = None
        self._take(wanted, coupon, billed=True)
        self.billed, self.pending = coupon, None
        number = paid.merchant_uid if paid else None
        assert self.book.begin(price, self._days(), number, entered) == bill.amount.amount

    # ------------------------------------------------------------ orders

    def change(self, **named):
        """Preview and change; what is refused does nothing."""
        order = ChangePlan(**named)
        told = preview(self.run, order, self.now)
        if told.refused:
            return
        wanted = self._wanted(order)
        if order.at is When.PERIOD_END:
            self.pending = self.state.items.pending = wanted
            assert self.run.terms.bill() == told.bill
        else:
            self._change_now(order, wanted, told)
        self.agrees()

    def _change_now(self, order, wanted, told):
        costs, after = change_quote.quote(self.run, order, self.now), change_quote.wanted(self.run, order)
        assert (costs.due_now, after) == (told.due_now, wanted)
        paid = self._charge(costs.due_now.amount.amount if costs.due_now else 0)
        another = self.run.terms.has_another_calendar(wanted.plan)
        self.state.items.pending = None
        change_quote.apply(self.run, after, costs, paid)
        assert self.run.terms.bill() == told.bill
        mode, number = order.proration.value, paid.merchant_uid if paid else None
        named = order.coupon is not None or order.without_coupon
        coupon = self._coupon(wanted) if named or another else self.billed
        price = price_of(wanted.plan, wanted.quantity, coupon)
        if another:
            self.counted = None
            charged = self.book.replace(price, self._days(), mode, number)
        else:
            charged = self.book.reprice(price, mode, number)
        billed = another or order.proration is not ProrationMode.NONE
        self._take(wanted, coupon, billed=billed)
        self.billed, self.pending = coupon if billed else self.billed, None
        assert charged == (paid.amount.amount if paid else 0)

    def _stop(self):
        self.state.pause.since, self.state.pause.at_period_end = self.now, False
        self.state.status = SubscriptionStatus.PAUSED

    def pause(self, *, at_period_end=False):
        """Pause now, or with the period."""
        if at_period_end:
            self.state.pause.at_period_end = not self.run.terms.term_is_paid
        else:
            self._stop()
        self.agrees()

    def resume(self, anchor=ResumeAnchor.NEW, *, declined=False):
        """Go on: with the days that are left, or with a period that is charged; a declined card changes nothing."""
        run, book = self.run, self.book
        wanted = self.pending or self.held
        last = not book.another_begins(wanted.plan.max_cycles)
        same_calendar = not run.terms.has_another_calendar(wanted.plan)
        old = anchor is ResumeAnchor.OLD and same_calendar and not last
        within = self.state.pause.since < self.state.periods.end
        gives_days = within and not book.touched and (not old or self.now < self.state.periods.end)
        chosen = pause_rest.last_anchor(run, anchor)
        assert chosen is (ResumeAnchor.OLD if old else ResumeAnchor.NEW)
        assert pause_rest.has_rest(run, chosen, self.now) == gives_days
        if gives_days:
            pause_rest.use_the_rest(run, chosen, self.now)
            self.state.pause.since, self.state.status = None, SubscriptionStatus.ACTIVE
            if old:
                book.stand_still(self._index())
            assert book.used == self._index()
        else:
            self._go_on_charged(chosen, declined=declined)
        self.agrees()

    def _go_on_charged(self, anchor, *, declined):
        before, stood = pause_rest.noted(self.run), self.state.model_copy(deep=True)
        pause_rest.credit_the_rest(self.run, self.now)
        if self.run.terms.term_is_paid:
            self.book.cut()
            assert not self.book.another_begins((self.pending or self.held).plan.max_cycles)
            self.ended = True
            return
        pause_rest.lay_the_periods(self.run, anchor, self.now)
        if declined:
            pause_rest.put_back(self.run, before)
            assert self.state == stood
            return
        self.book.cut()
        self._begin(self.state.periods.paid_days)

    def cancel(self, how=RefundAtCancel.PRORATED):
        """End now, with a refund; answers what went back."""
        book = self.book
        owed = 0 if how is RefundAtCancel.NONE else max(0, book.left + book.credit)
        expected = sum(won for _, won in book.purse) if how is RefundAtCancel.FULL else owed
        assert self.run.terms.gives_back(how, self.now) == expected
        if how is not RefundAtCancel.NONE:
            wanted = expected
            self.run.keep(self.run.terms.books().settled(self.now))
            book.cut()
            for order, part in self.run.terms.books().through(wanted):
                self.portone[order.merchant_uid][1] += part
                self.refunded.append(part)
                returns.gave_back(self.run, order, part)
                book.refund(order.merchant_uid, part)
            assert sum(self.refunded) == expected
            assert self.state.paid.balance >= 0
        self.ended = True
        self.agrees()
        return expected
