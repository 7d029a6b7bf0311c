"""Ringing the workflows that a difference is about."""

from datetime import timedelta

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from billing.domain.subscription.reports import LookAgain, PaymentReported
from billing.domain.subscription.start import subscription_workflow_id
from billing.ledger import Ledger
from workflows import ports
from workflows.reconciliation.contracts import Bell, RingBells, Rung
from workflows.unexpected_payment.contracts import ReportedFact
from workflows.unexpected_payment.reporting import report_fact

_RPC = timedelta(seconds=10)

_RUNG = subscription_workflow_id("")
"""Only subscriptions listen for bells; what a payment says beside them is looked into by a workflow of its own."""


class BellActivities(ports.BellActivities):
    """Signals workflows, with ids only, as a webhook would."""

    def __init__(self, temporal: Client, ledger: Ledger) -> None:
        self._temporal = temporal
        self._ledger = ledger

    @activity.defn
    async def ring(self, order: RingBells) -> Rung:
        """Tell each workflow to look, and note it; where nobody can be told, the difference waits for a person."""
        rung = []
        for bell in order.bells:
            if await self._told(bell):
                rung.append(bell.difference_id)
            activity.heartbeat(bell.difference_id)
        await self._ledger.differences.mark_rung(rung, order.at)
        return Rung(rung=len(rung), nobody=len(order.bells) - len(rung))

    async def _told(self, bell: Bell) -> bool:
        """Whether somebody was told of this difference."""
        # Under the id of a subscription that has ended a later one may run, which it is not about.
        living = bell.workflow_id.startswith(_RUNG) and not bell.ended
        return (living and await self._signalled(bell)) or await self._reported(bell)

    async def _reported(self, bell: Bell) -> bool:
        if not bell.imp_uid:
            return False
        fact = ReportedFact(
            imp_uid=bell.imp_uid,
            merchant_uid=bell.merchant_uid,
            status=bell.status,
            cancellation_id=bell.cancellation_id,
        )
        await report_fact(self._temporal, activity.info().task_queue, fact)
        return True

    async def _signalled(self, bell: Bell) -> bool:
        handle = self._temporal.get_workflow_handle(bell.workflow_id)
        try:
            if bell.imp_uid:
                reported = PaymentReported(
                    imp_uid=bell.imp_uid,
                    merchant_uid=bell.merchant_uid,
                    status=bell.status,
                    cancellation_id=bell.cancellation_id,
                )
                await handle.signal("payment_reported", reported, rpc_timeout=_RPC)
            else:
                look = LookAgain(merchant_uid=bell.merchant_uid, reason=bell.kind.value)
                await handle.signal("look_again", look, rpc_timeout=_RPC)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return True
