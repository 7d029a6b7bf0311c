"""What one payment says although nobody expects it any more: looked up, judged, booked, given back, announced.

Its subscription or its one-time payment has ended, or it pays for nothing that is open. What if this run dies? Every
step asks PortOne and the ledger anew, so the next report, or the reconciliation, begins it again where the books stand:
a refund is booked before it is sent and is known again by its mark, and everything else is written once.
"""

from collections.abc import Sequence
from contextlib import suppress

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ApplicationError, FailureError

from billing.domain.facts import PaymentFact
from billing.domain.foreign import ForeignFact, Unexpected, judge_foreign
from billing.domain.known_order import AskedOrder, Known
from billing.domain.money import Money
from billing.domain.parked import DECISIONS, Decision, ParkedKind, ParkedRecord
from billing.domain.records import ChargeResult, Disposition, LedgerEntry, RefundState, WebhookDisposition
from billing.domain.refund_messages import RefundSettled, StartRefund
from billing.domain.states import CycleState
from billing.domain.subscription.decision import DecisionTaken
from billing.domain.subscription.reports import LookAgain
from billing.domain.subscription.start import subscription_workflow_id
from workflows import policies
from workflows.ports import LedgerActivities, PaymentActivities
from workflows.refund.refunding import refund_to_the_end
from workflows.subscription.commands.decisions import check_decision
from workflows.unexpected_payment import entries, left_entry
from workflows.unexpected_payment.contracts import FactDecided, FactSettled, FactState, ReportedFact, StartLateFact
from workflows.unexpected_payment.parked_watch import PARKED

_IN_DOUBT = frozenset({RefundState.INTENT, RefundState.UNKNOWN, RefundState.NOT_EXECUTED})


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class LateFactWorkflow:
    """Settles what one payment says; a report that comes while it ends is looked into before it does."""

    @workflow.init
    def __init__(self, start: StartLateFact) -> None:
        self._imp_uid = start.imp_uid
        self._reports: list[ReportedFact] = []
        self._parked: ParkedRecord | None = None
        self._order: DecisionTaken | None = None
        self._answer: FactDecided | None = None
        self._revision = 0
        self._handed_on_by: set[str] = set()

    @workflow.run
    async def run(self, start: StartLateFact) -> FactSettled:  # noqa: ARG002 - what Temporal passes to init, too
        """Look, judge, act; again while somebody reported meanwhile."""
        while True:
            reports, self._reports = self._reports, []
            settled = await self._look(reports)
            await workflow.wait_condition(workflow.all_handlers_finished)
            # No await stands between this look and the end: a report that comes later makes the server refuse the end.
            if not self._reports:
                return settled

    @workflow.signal(description="Something was said of this payment: look it up. Carries ids only.")
    def fact_reported(self, fact: ReportedFact) -> None:
        """Note the report; the main loop looks."""
        self._reports.append(fact)

    @workflow.update(description="A person's decision about money that could not be given back, with who and why.")
    async def decide(self, order: DecisionTaken) -> FactDecided:
        """Carry a person's decision out.

        Raises:
            ApplicationError: somebody else was faster.
        """
        self._check(order)
        self._order, self._answer = order, None
        await workflow.wait_condition(lambda: self._answer is not None)
        answer = self._answer
        assert answer is not None  # noqa: S101 - just waited for
        return answer

    @decide.validator
    def _check_decide(self, order: DecisionTaken) -> None:
        check_decision(order)
        self._check(order)

    def _check(self, order: DecisionTaken) -> None:
        stands = self._parked if self._order is None else None
        if stands is None or order.parked_id not in (None, stands.parked_id):
            raise _refused(
                "already_decided", "it stands no longer: somebody has decided, or it was found out meanwhile"
            )
        if order.decision not in DECISIONS[stands.kind]:
            raise _refused("not_allowed", f"allowed: {', '.join(DECISIONS[stands.kind])}")

    # -------------------------------------------------------------- looking

    async def _look(self, reports: Sequence[ReportedFact]) -> FactSettled:
        self._handed_on_by |= {each.handed_on_by for each in reports if each.handed_on_by is not None}
        fact, known = await self._judge()
        if fact is None:
            await self._write("PortOne has no such payment", _answered(reports, None, Disposition.MISMATCH))
            return FactSettled(imp_uid=self._imp_uid, state=FactState.UNKNOWN_PAYMENT)
        number = fact.payment.merchant_uid
        if not fact.says_something:
            await self._write("nothing new", _answered(reports, number, Disposition.STALE))
            return FactSettled(imp_uid=self._imp_uid, state=FactState.NOTHING_NEW)
        its_own = known.living and known.order is not None and (known.order.is_open or bool(fact.elsewhere))
        if its_own and await self._hand_back(known, number):
            await self._write("its subscription looks at it", _answered(reports, number, Disposition.APPLIED))
            return FactSettled(imp_uid=self._imp_uid, state=FactState.NOTED, message="its subscription looks at it")
        entry = entries.booked(fact, known, _answered(reports, number, Disposition.APPLIED))
        await self._write(entries.in_words(fact), entry)
        if fact.unexpected is Unexpected.SECOND and await self._may_be_the_only_one(known):
            why = f"{entries.in_words(fact)}, and PortOne does not show the payment that it is booked with"
            if await self._stand_parked(ParkedKind.SECOND_PAYMENT, fact, known, why) is Decision.PAID:
                return FactSettled(imp_uid=self._imp_uid, state=FactState.KEPT)
        if fact.unexpected in (Unexpected.LATE, Unexpected.SECOND):
            return await self._give_back(fact, known)
        return FactSettled(imp_uid=self._imp_uid, state=FactState.NOTED, message=entries.in_words(fact))

    async def _judge(self) -> tuple[ForeignFact | None, Known]:
        payment = await workflow.execute_activity_method(
            PaymentActivities.find_payment, self._imp_uid, summary=f"look up {self._imp_uid}", **policies.LOOK_UP
        )
        if payment is None:
            return None, Known()
        known: Sequence[Known] = await workflow.execute_activity_method(
            LedgerActivities.known_orders,
            [AskedOrder(payment.merchant_uid, payment.imp_uid, payment.customer_uid)],
            summary=f"what is known of {payment.merchant_uid}",
            **policies.LEDGER,
        )
        return judge_foreign(payment, known[0]), known[0]

    async def _hand_back(self, known: Known, merchant_uid: str) -> bool:
        """Let the living subscription look, once: it is about what that charges, or has been paid; whether it was told.

        Who has handed it on is no owner of it, and a run that is gone owns nothing: then it is settled here.
        """
        if known.subscription_id in self._handed_on_by:
            return False
        handle = workflow.get_external_workflow_handle(subscription_workflow_id(known.customer_uid or ""))
        try:
            await handle.signal("look_again", LookAgain(merchant_uid=merchant_uid, reason="late_fact"))
        except FailureError as error:
            # Only a run that is gone owns nothing; one that cannot be told now is told by the next reconciliation.
            return "not found" not in str(error).lower()
        return True

    async def _may_be_the_only_one(self, known: Known) -> bool:
        """Whether PortOne does not have the payment that the order is booked with: then this one may pay for it."""
        booked = known.order.imp_uid if known.order is not None else None
        if booked in (None, self._imp_uid):
            return False
        found: PaymentFact | None = await workflow.execute_activity_method(
            PaymentActivities.find_payment, booked, summary=f"look up {booked}", **policies.LOOK_UP
        )
        return found is None

    # -------------------------------------------------------------- giving back

    async def _give_back(self, fact: ForeignFact, known: Known) -> FactSettled:
        """Refund all that is held; where PortOne refuses, stand parked until it has gone back or a person decides."""
        back = Money(0, fact.payment.amount.currency)
        while fact.held > 0:
            asked = fact.held
            settled = await refund_to_the_end(self._refund(fact, known))
            if settled.state is RefundState.REFUNDED:
                back += settled.amount or Money(0, back.currency)
            again, known = await self._judge()
            fact = again or fact
            if fact.held <= 0 or settled.state is RefundState.REFUNDED:
                await self._answer_with(settled)
            elif settled.state is RefundState.REFUSED and (settled.code == "balance_moved" or fact.held != asked):
                # Somebody else has refunded meanwhile: what is left by now is asked for.
                continue
            elif settled.state is not RefundState.REFUSED:
                await workflow.sleep(policies.FACT_LOOK, summary="what became of the refund is not known; looking")
            elif await self._refused(fact, known, settled) is Decision.PAID:
                return FactSettled(imp_uid=self._imp_uid, state=FactState.KEPT)
            else:
                again, known = await self._judge()
                fact = again or fact
        await self._close(fact, known)
        return FactSettled(imp_uid=self._imp_uid, state=FactState.REFUNDED, amount=back)

    def _refund(self, fact: ForeignFact, known: Known) -> StartRefund:
        """The next refund; one that was begun and is in doubt is gone on with, under its own id."""
        prefix = f"fact-{self._imp_uid}-"
        begun = [each for each in known.refunds if each.refund_id.startswith(prefix)]
        doubtful = next((e for e in begun if e.state in _IN_DOUBT and e.amount == fact.held), None)
        return StartRefund(
            refund_id=doubtful.refund_id if doubtful is not None else f"{prefix}{len(begun) + 1}",
            merchant_uid=fact.payment.merchant_uid,
            amount=Money(fact.held, fact.payment.amount.currency),
            reason=entries.REASONS[fact.unexpected] if fact.unexpected else None,
            customer_uid=known.customer_uid,
            subscription_id=known.subscription_id,
            imp_uid=self._imp_uid,
        )

    async def _close(self, fact: ForeignFact, known: Known) -> None:
        """All of it went back: its order says so, whoever gave it back, and nothing stands parked any more."""
        order = known.order
        results: tuple[ChargeResult, ...] = ()
        if order is not None and order.state is CycleState.LATE_PAID and order.imp_uid == self._imp_uid:
            at = max(workflow.now(), order.settled_at or workflow.now())
            results = (ChargeResult(order.merchant_uid, CycleState.REFUNDED, at, self._imp_uid),)
        if results or self._parked is not None:
            entry = LedgerEntry(results=results, payments=(fact.payment,), parked=self._unparked())
            await self._write("it went back", entry)

    # -------------------------------------------------------------- parked

    async def _refused(self, fact: ForeignFact, known: Known, settled: RefundSettled) -> Decision | None:
        await self._answer_with(settled)
        why = f"{entries.in_words(fact)}, and PortOne will not refund it: {settled.message or settled.code}"
        return await self._stand_parked(ParkedKind.REFUND_REFUSED, fact, known, why)

    async def _stand_parked(self, kind: ParkedKind, fact: ForeignFact, known: Known, why: str) -> Decision | None:
        """Wait for a decision, looking daily whether it is over by itself; None when it is."""
        previous, record = self._unparked(), self._record(kind, fact, known, why)
        self._parked = record
        told = entries.parked_event(record, known)
        await self._write("stands parked", LedgerEntry(parked=(*previous, record), events=(told,)))
        workflow.upsert_search_attributes([PARKED.value_set(record.kind.value)])
        while self._order is None:
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._order is not None or bool(self._reports),
                    timeout=policies.FACT_LOOK,
                    timeout_summary="until a person decides, or it went back by itself",
                )
            if self._order is None:
                reports, self._reports = self._reports, []
                again, known = await self._judge()
                answered = _answered(reports, fact.payment.merchant_uid, Disposition.STALE)
                if again is not None and again.elsewhere:
                    await self._write(entries.in_words(again), entries.booked(again, known, answered))
                elif reports:
                    await self._write("still held", answered)
                if again is not None and again.held <= 0:
                    return None
                if kind is ParkedKind.SECOND_PAYMENT and not await self._may_be_the_only_one(known):
                    return None
        return await self._carry_out(self._order, record, fact, known)

    async def _carry_out(self, order: DecisionTaken, record: ParkedRecord, fact: ForeignFact, known: Known) -> Decision:
        decided = left_entry.decided(record, order, workflow.now(), record.revision)
        keep = order.decision is Decision.PAID
        entry = LedgerEntry(
            decisions=(decided,),
            parked=self._unparked() if keep else (),
            results=entries.kept(fact, known) if keep else (),
            events=(entries.parked_event(record, known, decided),),
        )
        await self._write(f"{order.by} decided {order.decision.value}: {order.reason}"[:200], entry)
        if keep:
            self._answer, self._order = FactDecided(state=FactState.KEPT), None
        return order.decision

    async def _answer_with(self, settled: RefundSettled) -> None:
        """Answer whoever decided to try the refund once more."""
        if self._order is not None:
            done = settled.state is RefundState.REFUNDED
            self._answer = FactDecided(
                state=FactState.REFUNDED if done else None,
                done=done,
                code=None if done else "refund_refused",
                message=settled.message,
                refunded=settled.amount if done else None,
            )
            self._order = None

    def _record(self, kind: ParkedKind, fact: ForeignFact, known: Known, reason: str) -> ParkedRecord:
        self._count()
        begun = sum(each.refund_id.startswith("fact-") for each in known.refunds)
        return ParkedRecord(
            parked_id=f"{self._imp_uid}-{begun}",
            kind=kind,
            workflow_id=workflow.info().workflow_id,
            customer_uid=known.customer_uid or fact.payment.merchant_uid,
            subscription_id=known.subscription_id,
            reason=reason,
            merchant_uid=fact.payment.merchant_uid,
            parked_at=workflow.now(),
            revision=self._revision,
            known=(f"payment {self._imp_uid}: {fact.held} of {fact.payment.amount} is held",),
            imp_uid=self._imp_uid,
        )

    def _unparked(self) -> tuple[ParkedRecord, ...]:
        """What stands, closed, for the next write."""
        if self._parked is None:
            return ()
        self._count()
        stood, self._parked = self._parked, None
        return (entries.closed(stood, workflow.now(), self._revision),)

    def _count(self) -> None:
        """A revision that only grows, also from one run of this payment to the next."""
        self._revision = max(self._revision + 1, left_entry.revision_at(workflow.now()))

    async def _write(self, summary: str, entry: LedgerEntry) -> None:
        if entry == LedgerEntry():
            return
        await workflow.execute_activity_method(LedgerActivities.record, entry, summary=summary, **policies.LEDGER)
        workflow.set_current_details(f"Payment `{self._imp_uid}`: **{summary}**")


def _answered(reports: Sequence[ReportedFact], merchant_uid: str | None, disposition: Disposition) -> LedgerEntry:
    """What becomes of the webhooks that were reported; one that names another order than PortOne has is a mismatch."""
    closed = (
        WebhookDisposition(
            each.merchant_uid,
            each.imp_uid,
            each.status,
            disposition if each.merchant_uid == merchant_uid else Disposition.MISMATCH,
        )
        for each in reports
    )
    return LedgerEntry(webhooks=tuple(dict.fromkeys(closed)))


def _refused(code: str, message: str) -> ApplicationError:
    return ApplicationError(message, type=code, non_retryable=True)
