"""Whatever steps are written in whatever order, writing any of them again changes nothing."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from billing.domain.records import Disposition, LedgerEntry, RefundState, WebhookDisposition
from billing.domain.states import CycleState
from billing.ledger import Ledger, LedgerConflictError, ReceivedWebhook
from billing.ledger.engine import writing
from billing.ledger.tables import metadata
from tests.ledger.stories import day, everything, intent, key, order, payment, refund, result, subscription

ORDERS = st.tuples(st.integers(1, 2), st.integers(0, 1))
IMP_UIDS = st.sampled_from(["imps_1", "imps_2", "imps_3"])
STATES = st.sampled_from(
    sorted(set(CycleState) - {CycleState.GATED, CycleState.REGISTERING, CycleState.REGISTERED, CycleState.DUE})
)


@st.composite
def entries(draw: st.DrawFn) -> Sequence[LedgerEntry]:
    """A story of up to six steps, each later than the last, as one workflow tells it."""
    return [draw(entry(revision)) for revision in range(1, draw(st.integers(2, 7)))]


@st.composite
def entry(draw: st.DrawFn, revision: int) -> LedgerEntry:
    """One step of the story."""
    cycle, generation = draw(ORDERS)
    number, imp_uid = order(cycle, generation), draw(IMP_UIDS)
    state = draw(STATES)
    status = draw(st.sampled_from(["ready", "failed", "paid", "cancelled"]))
    cancelled = draw(st.integers(0, 9900)) if status == "cancelled" else 0
    fact = payment(imp_uid, status, merchant_uid=number, cancelled_amount=cancelled)
    wants = draw(st.sets(st.sampled_from(["payment", "result", "key", "gone", "refund", "hook"])))
    refunded = refund(draw(st.sampled_from(RefundState)), revision, merchant_uid=number, imp_uid=imp_uid)
    return LedgerEntry(
        subscription=subscription(revision, cycle=cycle, cycle_state=state),
        intents=(intent(cycle, generation),),
        results=(result(state, revision, number, imp_uid=imp_uid),) if "result" in wants else (),
        payments=(fact,) if "payment" in wants else (),
        billing_key=key(inserted_at=day(revision)) if "key" in wants else None,
        deleted_billing_key="kim_1" if "gone" in wants else None,
        refunds=(replace(refunded, refund_id=f"rf_{number}_{imp_uid}"),) if "refund" in wants else (),
        webhooks=(WebhookDisposition(order(), "imps_1", "paid", draw(st.sampled_from(Disposition))),)
        if "hook" in wants
        else (),
    )


async def begin(ledger: Ledger) -> None:
    async with writing(ledger.engine) as connection:
        for table in metadata.sorted_tables:
            await connection.execute(delete(table))
    await ledger.receive_webhook(ReceivedWebhook("imps_1", order(), "paid", "token", workflow_id="w"), day(0))


fast = settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fast
@given(story=entries())
async def test_every_step_may_be_written_again_at_any_later_time(ledger: Ledger, story: Sequence[LedgerEntry]) -> None:
    await begin(ledger)
    written: list[LedgerEntry] = []
    before = await everything(ledger)
    for step in story:
        try:
            await ledger.record(step)
        except LedgerConflictError:
            assert await everything(ledger) == before, "a refused step left something"
            with pytest.raises(LedgerConflictError):
                await ledger.record(step)
        else:
            written.append(step)
        after = await everything(ledger)
        for again in written:
            # A step that a later one contradicts by now may be refused; it may not change anything.
            with suppress(LedgerConflictError):
                await ledger.record(again)
        before = await everything(ledger)
        assert before == after


@fast
@given(story=entries())
async def test_no_story_pays_a_cycle_twice_or_an_order_with_somebody_elses_payment(
    ledger: Ledger, story: Sequence[LedgerEntry]
) -> None:
    await begin(ledger)
    money_back: set[str] = set()
    for step in story:
        with suppress(LedgerConflictError):
            await ledger.record(step)
        charges = await ledger.list_charges()
        holding = [(row.subscription_id, row.cycle) for row in charges if row.paid_at and row.state != "refunded"]
        assert len(holding) == len(set(holding))
        owned = [row.imp_uid for row in charges if row.imp_uid is not None]
        assert len(owned) == len(set(owned))
        payments = {row.merchant_uid: await ledger.list_payments(row.merchant_uid) for row in charges}
        belongs_to = {fact.imp_uid: number for number, facts in payments.items() for fact in facts}
        for row in charges:
            if row.state in (CycleState.PAID, CycleState.REFUNDED) and row.imp_uid is not None:
                assert belongs_to.get(row.imp_uid, row.merchant_uid) == row.merchant_uid
        refunded = {row.merchant_uid for row in charges if row.state is CycleState.REFUNDED}
        assert money_back <= refunded, "refunded is the end"
        money_back = refunded
