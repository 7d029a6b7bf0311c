"""/v1/subscriptions: start, list, look at."""

import base64
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError, WorkflowUpdateStage
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from api.attempt import Attempt
from api.commanding import find_shown, find_subscription
from api.dependencies import Desk, DeskDep, caller_of
from api.errors import Problem
from api.idempotency import OnceDep, answer
from api.key_names import refuse_a_busy_key
from api.models import CustomerId, CustomerUid, PlanId, SubscriptionBody
from api.pg_rules import check_holding, check_issue
from api.running import is_gone, within
from api.starting import RPC_TIMEOUT, begin
from api.strict_route import StrictRoute
from api.take_over import check_take_over
from api.terms import check_billing_day, holding_of, terms_of
from api.views import charge_view, refused_start_view, standing_view, subscription_view
from billing.domain.bills import Holding
from billing.domain.coupons import Coupon
from billing.domain.merchant_uid import cycle_merchant_uid, new_incarnation
from billing.domain.plans import MAX_TRIAL_DAYS, PlanTerms
from billing.domain.records import SubscriptionRecord
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription.snapshot import SubscriptionSnapshot
from billing.domain.subscription.start import BillingPolicy, StartSubscription, subscription_workflow_id
from billing.domain.takeover import TakeOverRefusal
from workflows.subscription.workflow import SubscriptionWorkflow

router = APIRouter(
    prefix="/v1/subscriptions", tags=["subscriptions"], dependencies=[Depends(caller_of)], route_class=StrictRoute
)

_SUBSCRIPTION_ID = re.compile(r"[\x21-\x7e]{1,80}")

Handle = WorkflowHandle[SubscriptionWorkflow, SubscriptionSnapshot]

# Why a start has failed, as HTTP: the card's issuer said no, the caller must choose otherwise, or PortOne was away.
DECLINED = frozenset({"charge_declined", "billing_key_refused"})
ON_KEY = frozenset(each.value for each in TakeOverRefusal)
MISMATCH = "charge_mismatch"
CONFLICTS = frozenset({"billing_key_exists", "billing_key_not_found", MISMATCH}) | ON_KEY


@router.post("", status_code=201)
async def start_subscription(body: SubscriptionBody, once: OnceDep, desk: DeskDep) -> Response:
    """Start a subscription and answer what the first charge came to."""
    run_url = desk.run_url(subscription_workflow_id(body.customer_uid))

    async def start(attempt: Attempt) -> Response:
        terms = await terms_of(desk, body.plan, body.plan_id)
        coupon = body.coupon.coupon() if body.coupon else None
        _check(desk, body, terms, holding_of(desk, terms, body.quantity, coupon))
        handle = await _start(desk, body, terms, coupon, attempt)
        snapshot = await within(desk.settings.first_answer_seconds, _first_outcome(handle))
        return await _started(desk, body.customer_uid, snapshot, attempt)

    def names(subscription_id: str | None) -> dict[str, Any]:
        brought = {"customer_uid": body.customer_uid, "run_url": run_url}
        if subscription_id is None:
            return brought
        return {
            **brought,
            "subscription_id": subscription_id,
            "merchant_uid": cycle_merchant_uid(subscription_id, 1),
        }

    drawn = new_incarnation(secrets.token_bytes(16))
    return await once(drawn, start, names=names, pending={"status": SubscriptionStatus.INCOMPLETE.value})


@router.get("")
async def list_subscriptions(
    desk: DeskDep,
    *,
    status: SubscriptionStatus | None = None,
    plan_id: PlanId | None = None,
    customer_id: CustomerId | None = None,
    billing_key: CustomerUid | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: str | None = None,
) -> dict[str, Any]:
    """A page of subscriptions, newest first; `next` is the `after` of the next page.

    `customer_id` is the `customer.id` that they were started with: all that one person has.
    `billing_key` is the customer_uid of the key that is charged, which may not be the one it was started under.
    """
    rows = await desk.ledger.list_subscriptions(
        status=status,
        plan_id=plan_id,
        customer_id=customer_id,
        billing_key=billing_key,
        limit=limit + 1,
        after=_read_cursor(after),
    )
    more = rows[limit - 1] if len(rows) > limit else None
    return {
        "subscriptions": [subscription_view(desk, row) for row in rows[:limit]],
        "next": _cursor(more) if more else None,
    }


@router.get("/{customer_uid}")
async def get_subscription(customer_uid: CustomerUid, desk: DeskDep) -> dict[str, Any]:
    """One subscription with its current cycle and a link to its run in the Temporal UI.

    `refused_start` is a start after its end that came to nothing, and that left everything as it was.
    """
    record, refused_start = await find_shown(desk, customer_uid)
    return {**subscription_view(desk, record), "refused_start": refused_start_view(refused_start)}


@router.get("/{customer_uid}/charges")
async def get_charges(customer_uid: CustomerUid, desk: DeskDep) -> dict[str, Any]:
    """Every charge of a customer_uid, oldest first."""
    record = await find_subscription(desk, customer_uid)
    rows = await desk.ledger.list_charges(workflow_id=record.workflow_id)
    return {"charges": [charge_view(row) for row in rows]}


def _check(desk: Desk, body: SubscriptionBody, terms: PlanTerms, holding: Holding) -> None:
    customer = body.customer.customer()
    _check_trial(desk, body, terms, free=not holding.value().amount)
    check_take_over(body, terms, desk.now())
    check_billing_day(body, terms)
    card = body.payment_method.card if body.payment_method else None
    if card is not None:
        check_issue(body.pg, customer, card)
    first_charge = body.paid_until or body.trial_end
    trial_days = (first_charge - desk.now()).days if first_charge else 0
    check_holding(body.pg, holding, customer, trial_days=trial_days, short_first=body.billing_day is not None)
    _refuse_expired(desk, body)


def _check_trial(desk: Desk, body: SubscriptionBody, terms: PlanTerms, *, free: bool) -> None:
    if body.trial_end is not None and not desk.now() < body.trial_end < desk.now() + timedelta(days=MAX_TRIAL_DAYS):
        raise Problem(422, "trial_end", f"must lie ahead, at most {MAX_TRIAL_DAYS} days", field="trial_end")
    begins_free = free or body.paid_until is not None or body.trial_end is not None or terms.trial_days
    if body.payment_method is None and not begins_free:
        raise Problem(422, "no_payment_method", "is required where the first period costs", field="payment_method")


def _refuse_expired(desk: Desk, body: SubscriptionBody) -> None:
    # A day's grace: the last month of a card ends in its issuer's time zone, not in ours.
    month = (desk.now() - timedelta(days=1)).date()
    card = body.payment_method.card if body.payment_method else None
    if card is not None and card.is_expired(month.year, month.month):
        raise Problem(422, "card_expired", "the card has expired", field="payment_method.card.expiry")


async def _start(
    desk: Desk, body: SubscriptionBody, terms: PlanTerms, coupon: Coupon | None, attempt: Attempt
) -> Handle:
    """Start the workflow, or join the one an earlier try of this request started.

    Raises:
        Problem: 409 when another subscription is running under this customer_uid.
    """
    workflow_id = subscription_workflow_id(body.customer_uid)

    async def start() -> Handle:
        await _refuse_an_unsettled_name(desk, body.customer_uid, workflow_id)
        card = body.payment_method.card if body.payment_method else None
        vault_handle = await desk.vault.seal(card.fields(), desk.now()) if card else None
        order = _message(desk, body, terms, coupon, subscription_id=attempt.resource, vault_handle=vault_handle)
        attempt.leaves()
        try:
            return await desk.temporal.start_workflow(
                SubscriptionWorkflow.run,
                args=[order, None],
                id=workflow_id,
                task_queue=desk.task_queue,
                memo={"resource": attempt.resource},
                search_attributes=_search_attributes(order),
                static_summary=_summary(order),
                static_details=_details(order),
                rpc_timeout=RPC_TIMEOUT,
            )
        except WorkflowAlreadyStartedError:
            if vault_handle is not None:
                await desk.vault.discard(vault_handle)
            raise

    handle = desk.temporal.get_workflow_handle_for(SubscriptionWorkflow.run, workflow_id)
    begun = await begin(attempt, handle, start)
    if begun is None:
        detail = "a subscription is running under this customer_uid"
        run_url = desk.run_url(workflow_id)
        raise Problem(409, "subscription_running", detail, field="customer_uid", run_url=run_url)
    return begun


async def _refuse_an_unsettled_name(desk: Desk, customer_uid: str, workflow_id: str) -> None:
    charged_for = await desk.ledger.subscription_on_key(customer_uid)
    if charged_for is not None and charged_for.workflow_id != workflow_id:
        detail = "another subscription is charged by the billing key of this name"
        raise Problem(409, "billing_key_in_use", detail, field="customer_uid")
    await refuse_a_busy_key(desk, customer_uid)
    last = await desk.ledger.get_subscription(customer_uid)
    if last is not None and last.ended_at is not None and last.cycle_state is CycleState.MISMATCH:
        detail = "the last charge under this customer_uid was paid but not as ordered; settle it first"
        raise Problem(409, "charge_mismatch", detail, field="customer_uid", merchant_uid=last.merchant_uid)


def _message(
    desk: Desk,
    body: SubscriptionBody,
    terms: PlanTerms,
    coupon: Coupon | None,
    *,
    subscription_id: str,
    vault_handle: str | None,
) -> StartSubscription:
    return StartSubscription(
        subscription_id=subscription_id,
        customer_uid=body.customer_uid,
        plan=terms,
        quantity=body.quantity,
        coupon=coupon,
        trial_ends_at=body.trial_end,
        paid_until=body.paid_until,
        billing_day=body.billing_day,
        take_over=body.take_over,
        without_card=body.payment_method is None,
        vault_handle=vault_handle,
        channel=body.channel(),
        customer=body.customer.customer(),
        metadata=body.metadata,
        policy=_policy(desk, body),
    )


async def _first_outcome(handle: Handle) -> SubscriptionSnapshot:
    try:
        update = await handle.start_update(
            "first_outcome", wait_for_stage=WorkflowUpdateStage.ACCEPTED, result_type=SubscriptionSnapshot
        )
        snapshot: SubscriptionSnapshot = await update.result()
    except (RPCError, WorkflowUpdateFailedError) as error:
        if isinstance(error, RPCError) and not is_gone(error):
            raise
        # The start had already failed when we came to ask: the run has ended and says why.
        snapshot = await handle.result()
    return snapshot


async def _started(desk: Desk, customer_uid: str, snapshot: SubscriptionSnapshot | None, attempt: Attempt) -> Response:
    if snapshot is None:
        return attempt.open_answer()
    if snapshot.status is not SubscriptionStatus.INCOMPLETE_EXPIRED:
        attempt.is_settled()
        return answer(201, subscription_view(desk, await find_subscription(desk, customer_uid)))
    code = snapshot.last_failure_code or "not_started"
    reason = snapshot.last_failure or "the subscription was not started"
    if code in DECLINED or code == MISMATCH:
        attempt.is_settled()
    else:
        attempt.is_void()
    if code.startswith("pg_"):
        raise Problem(422, code, reason, field="pg")
    if code in DECLINED:
        raise Problem(
            402,
            "card_declined",
            reason,
            reason_code=code,
            merchant_uid=snapshot.merchant_uid,
            standing=standing_view(snapshot.standing),
        )
    if code in ON_KEY:
        raise Problem(409, code, reason, field="customer_uid", standing=standing_view(snapshot.standing))
    if code in CONFLICTS:
        raise Problem(409, code, reason, field="customer_uid")
    raise Problem(503, code, reason)


def _policy(desk: Desk, body: SubscriptionBody) -> BillingPolicy:
    """The timings of the settings, and the body's own dunning where it says one."""
    policy = desk.policy()
    if body.dunning is None or policy.dunning is None:
        return policy
    return policy.model_copy(update={"dunning": body.dunning.policy(policy.dunning)})


def _search_attributes(start: StartSubscription) -> TypedSearchAttributes:
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(SearchAttributeKey.for_keyword("CustomerUid"), start.customer_uid),
        SearchAttributePair(SearchAttributeKey.for_keyword("SubscriptionStatus"), SubscriptionStatus.INCOMPLETE.value),
        SearchAttributePair(SearchAttributeKey.for_int("FailedAttempts"), 0),
    ]
    named = (("CustomerId", start.customer.id), ("PlanId", start.plan.plan_id))
    pairs += [SearchAttributePair(SearchAttributeKey.for_keyword(name), value) for name, value in named if value]
    return TypedSearchAttributes(pairs)


def _summary(start: StartSubscription) -> str:
    plan, times = start.plan, f" × {start.quantity}" if start.quantity > 1 else ""
    return f"{plan.name}: {plan.price}{times} {plan.interval}"[:200]


def _details(start: StartSubscription) -> str:
    plan = start.plan
    lines = [f"**{plan.name}**, {plan.price} {plan.interval} ({plan.zone})", f"customer_uid `{start.customer_uid}`"]
    if start.quantity > 1:
        lines.append(f"{start.quantity} pieces")
    if start.coupon is not None:
        lines.append(f"Coupon {start.coupon.name}, {start.coupon.duration.value}")
    if start.trial_ends_at is not None:
        lines.append(f"Trial until {start.trial_ends_at:%Y-%m-%d %H:%M} UTC")
    elif plan.trial_days and start.paid_until is None:
        lines.append(f"Trial of {plan.trial_days} days")
    if start.billing_day is not None:
        lines.append(f"Billed on day {start.billing_day} of the month; the first period is charged for the days to it")
    if plan.max_cycles:
        lines.append(f"Ends after {plan.max_cycles} periods")
    if start.paid_until is not None:
        lines.append(f"Paid elsewhere until {start.paid_until:%Y-%m-%d %H:%M} UTC")
    return "\n\n".join(lines)


def _cursor(record: SubscriptionRecord) -> str:
    return base64.urlsafe_b64encode(f"{record.started_at.isoformat()} {record.subscription_id}".encode()).decode()


def _read_cursor(text: str | None) -> tuple[datetime, str] | None:
    if text is None:
        return None
    try:
        started_at, _, subscription_id = base64.urlsafe_b64decode(text).decode().partition(" ")
        instant = datetime.fromisoformat(started_at)
        if instant.tzinfo is None or not _SUBSCRIPTION_ID.fullmatch(subscription_id):
            raise ValueError("no cursor")  # noqa: TRY301 - one answer for everything that is no cursor
        return instant.astimezone(UTC), subscription_id
    except (ValueError, OverflowError):
        raise Problem(422, "invalid_cursor", "is not a cursor of this list", field="after") from None
