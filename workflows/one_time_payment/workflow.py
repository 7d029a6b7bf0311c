"""One payment by card number, with the same certainty as a subscription's charge."""

from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ActivityError

from billing.domain.attempt import Attempt, AttemptStep, Sent
from billing.domain.facts import BillingKeyFact
from billing.domain.outcomes import CARD_GONE, ChargeOutcome
from billing.domain.records import ChargeIntent, ChargeKind, ChargeResult, Disposition, LedgerEntry, WebhookDisposition
from billing.domain.states import CycleState
from billing.domain.subscription.reports import PaymentReported
from billing.domain.verdict import Expected, Finding, Verdict, judge
from workflows import policies
from workflows.billing_key.issuing import discard_card
from workflows.contracts import ChargeAnswer, ChargeOnetime, PaymentSettled, StartKeyInPayment
from workflows.ports import BillingKeyActivities, LedgerActivities, PaymentActivities

STATES = {
    Finding.PAID: CycleState.PAID,
    Finding.DECLINED: CycleState.DECLINED,
    Finding.MISMATCH: CycleState.MISMATCH,
    Finding.ABSENT: CycleState.NOT_EXECUTED,
    Finding.PENDING: CycleState.UNKNOWN,
}
"""What each proven finding is called in the ledger."""


@workflow.defn(versioning_behavior=VersioningBehavior.PINNED)
class KeyInPaymentWorkflow:
    """Charges one card once, and proves what became of it."""

    @workflow.init
    def __init__(self, start: StartKeyInPayment) -> None:
        self._start = start
        self._bells: list[PaymentReported] = []
        self._answered = 0
        self._answer = ChargeAnswer(outcome=ChargeOutcome.UNKNOWN)

    @workflow.run
    async def run(self, start: StartKeyInPayment) -> PaymentSettled:
        """Intent, charge, look-up, result: paid, declined, mismatch or not executed."""
        await self._write("open the payment", LedgerEntry(intents=(self._intent(),)))
        verdict = await self._charge_to_the_end()
        if self._answer.outcome not in (ChargeOutcome.PAID, ChargeOutcome.DECLINED):
            await discard_card(start.vault_handle)
        key = await self._stored_key(verdict)
        await self._write(f"the payment is {verdict.finding.value}", self._result(verdict, key))
        payment = verdict.payment
        return PaymentSettled(
            merchant_uid=start.merchant_uid,
            state=STATES[verdict.finding],
            imp_uid=payment.imp_uid if payment else None,
            code=CARD_GONE if self._card_was_gone(verdict) else None,
            message=verdict.reason,
            billing_key_stored=key is not None,
        )

    @workflow.signal(description="A webhook rang: look the payment up. Carries ids only.")
    def payment_reported(self, bell: PaymentReported) -> None:
        """Note the bell; a charge whose outcome is open is looked up at once."""
        self._bells.append(bell)

    async def _charge_to_the_end(self) -> Verdict:
        """One step after the other, until the outcome is proven; a webhook brings the next look on at once."""
        start = self._start
        # A key-in payment has no billing key to compare; PortOne names the key it stored, if any, on the row.
        expected = Expected(start.merchant_uid, start.amount)
        attempt = Attempt.begun(expected, 1, workflow.now())
        while True:
            await self._wait_until(attempt.at)
            if attempt.step is AttemptStep.SEND:
                attempt = attempt.sending(workflow.now())
                answer = self._answer = await self._send(attempt.next_send - 1)
                sent = Sent(answer.outcome, answer.worth_resending, answer.code, answer.message)
                attempt = attempt.answered(sent, workflow.now())
                continue
            rows = await workflow.execute_activity_method(
                PaymentActivities.find_payments,
                start.merchant_uid,
                summary=f"look up {start.merchant_uid}",
                **policies.LOOK_UP,
            )
            went = attempt.looked(judge(expected, rows), workflow.now(), start.policy.quiet)
            if not isinstance(went, Attempt):
                return went
            attempt = went

    async def _wait_until(self, at: datetime) -> None:
        left = at - workflow.now()
        if left <= timedelta(0):
            return
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: len(self._bells) > self._answered,
                timeout=left,
                timeout_summary="the outcome of the charge is unknown; looking again",
            )
        self._answered = len(self._bells)

    async def _send(self, send_no: int) -> ChargeAnswer:
        start = self._start
        order = ChargeOnetime(
            workflow_id=workflow.info().workflow_id,
            merchant_uid=start.merchant_uid,
            vault_handle=start.vault_handle,
            amount=start.amount,
            name=start.name,
            send_no=send_no,
            tax_free=start.tax_free,
            vat_amount=start.vat_amount,
            customer_uid=start.customer_uid,
            customer=start.customer,
            channel=start.channel,
        )
        try:
            return await workflow.execute_activity_method(
                PaymentActivities.charge_onetime, order, summary=f"charge {start.amount} by card", **policies.CHARGE
            )
        except ActivityError as error:
            # The worker died or hung with the request perhaps on its way: that is what unknown means.
            return ChargeAnswer(outcome=ChargeOutcome.UNKNOWN, message=str(error.cause or error))

    def _card_was_gone(self, verdict: Verdict) -> bool:
        return verdict.finding is Finding.ABSENT and self._answer.code == CARD_GONE

    async def _stored_key(self, verdict: Verdict) -> BillingKeyFact | None:
        if self._start.customer_uid is None or verdict.finding is not Finding.PAID:
            return None
        return await workflow.execute_activity_method(
            BillingKeyActivities.find_billing_key,
            self._start.customer_uid,
            summary=f"look up key {self._start.customer_uid}",
            **policies.LOOK_UP,
        )

    def _intent(self) -> ChargeIntent:
        start = self._start
        return ChargeIntent(
            merchant_uid=start.merchant_uid,
            workflow_id=workflow.info().workflow_id,
            kind=ChargeKind.KEY_IN,
            amount=start.amount,
            name=start.name,
            due_at=workflow.now(),
            customer_uid=start.customer_uid,
            tax_free=start.tax_free,
            vat_amount=start.vat_amount,
        )

    def _result(self, verdict: Verdict, key: BillingKeyFact | None) -> LedgerEntry:
        payment = verdict.payment
        return LedgerEntry(
            results=(
                ChargeResult(
                    merchant_uid=self._start.merchant_uid,
                    state=STATES[verdict.finding],
                    at=workflow.now(),
                    imp_uid=payment.imp_uid if payment else None,
                    message=verdict.reason,
                ),
            ),
            payments=(payment,) if payment else (),
            billing_key=key,
            webhooks=tuple(
                WebhookDisposition(bell.merchant_uid, bell.imp_uid, bell.status, Disposition.APPLIED)
                for bell in self._bells
            ),
        )

    async def _write(self, summary: str, entry: LedgerEntry) -> None:
        await workflow.execute_activity_method(LedgerActivities.record, entry, summary=summary, **policies.LEDGER)
