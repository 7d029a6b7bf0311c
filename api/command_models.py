"""What may be asked of a running subscription: one body for each order."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from api.models import (
    Body,
    ChannelBody,
    CouponBody,
    CustomerUid,
    InstantField,
    Lines,
    PaymentMethodBody,
    PlanBody,
    PlanId,
    Printable,
    Quantity,
    Words,
)
from billing.domain import bounds
from billing.domain.consent import MAX_SHOWN_LENGTH, ConsentDecision
from billing.domain.parked import Decision
from billing.domain.proration import ProrationMode
from billing.domain.subscription.choices import ResumeAnchor, When
from workflows.subscription.commands.answer_consent import AnswerConsent

Locale = Annotated[str, Field(max_length=bounds.MAX_LOCALE, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Who = Annotated[str, Field(min_length=1, max_length=bounds.MAX_WHO), Printable]


class PauseBody(Body):
    """POST /v1/subscriptions/{customer_uid}/pause."""

    at: Annotated[When, Field(strict=False)] = When.PERIOD_END
    resumes_at: InstantField | None = None
    resume_anchor: Annotated[ResumeAnchor, Field(strict=False)] | None = None
    reason: Words | None = None

    @model_validator(mode="after")
    def _resumes_by_itself(self) -> Self:
        if self.resume_anchor is not None and self.resumes_at is None:
            raise ValueError("resume_anchor is for a pause that ends by itself, at resumes_at")
        return self


class SkipBody(Body):
    """POST /v1/subscriptions/{customer_uid}/skip: so many periods, from the next one on."""

    periods: Annotated[int, Field(ge=1, le=bounds.MAX_SKIPPED_PERIODS)] = 1
    reason: Words | None = None


class ActBody(Body):
    """An explicit act of the buyer: what stood before them, who they are, and what is known of where it came from."""

    shown: Annotated[str, Field(min_length=1, max_length=MAX_SHOWN_LENGTH), Lines]
    by: Who
    locale: Annotated[str, Field(max_length=bounds.MAX_LOCALE, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = (
        "ko-KR"
    )
    ip: Annotated[str, Field(max_length=bounds.MAX_IP), Printable] | None = None
    user_agent: Annotated[str, Field(max_length=bounds.MAX_USER_AGENT), Printable] | None = None

    @model_validator(mode="after")
    def _was_shown(self) -> Self:
        if not self.shown.strip() or not self.by.strip():
            raise ValueError("shown and by must not be blank")
        return self

    def answer(self, decision: ConsentDecision) -> AnswerConsent:
        """The same in the workflows' words."""
        return AnswerConsent(
            decision=decision,
            shown=self.shown,
            by=self.by,
            locale=self.locale,
            ip=self.ip,
            user_agent=self.user_agent,
        )


class ConsentBody(ActBody):
    """POST /v1/subscriptions/{customer_uid}/consent: the buyer's explicit answer, with what was shown to them."""

    decision: Annotated[ConsentDecision, Field(strict=False)]


class ResumeBody(Body):
    """POST /v1/subscriptions/{customer_uid}/resume.

    `consent` is the buyer's act, where the plan asks for it and going on costs more than before.
    """

    anchor: Annotated[ResumeAnchor, Field(strict=False)] = ResumeAnchor.NEW
    consent: ActBody | None = None


class ChangePlanBody(Body):
    """POST /v1/subscriptions/{customer_uid}/change-plan; what is left out stays as it is."""

    plan_id: PlanId | None = None
    plan: PlanBody | None = None
    quantity: Quantity | None = None
    coupon: CouponBody | None = None
    remove_coupon: Literal[True] | None = None
    at: Annotated[When, Field(strict=False)] = When.PERIOD_END
    proration: Annotated[ProrationMode, Field(strict=False)] = ProrationMode.PRORATE

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.plan_id is not None and self.plan is not None:
            raise ValueError("give either plan_id or plan")
        if self.coupon is not None and self.remove_coupon:
            raise ValueError("give either coupon or remove_coupon")
        if not (self.plan_id or self.plan or self.quantity or self.coupon or self.remove_coupon):
            raise ValueError("give plan_id, plan, quantity, coupon or remove_coupon")
        return self


class TrialBody(Body):
    """POST /v1/subscriptions/{customer_uid}/trial: another end, or now.

    `consent` is the buyer's act of ending it now, where the plan asks for it.
    """

    ends_at: InstantField | None = None
    end_now: Literal[True] | None = None
    consent: ActBody | None = None

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.ends_at is None) == (self.end_now is None):
            raise ValueError("give either ends_at or end_now: true")
        if self.consent is not None and self.end_now is None:
            raise ValueError("consent goes with end_now; to another end it is asked for when its time comes")
        return self


class PaymentMethodChangeBody(ChannelBody):
    """POST /v1/subscriptions/{customer_uid}/payment-method.

    A card gets a customer_uid of its own unless one is given; a key from the SDK window is named by its own.
    """

    payment_method: PaymentMethodBody
    customer_uid: CustomerUid | None = None

    @model_validator(mode="after")
    def _names_its_key(self) -> Self:
        if self.payment_method.billing_key and self.customer_uid is None:
            raise ValueError("customer_uid names the billing key that was issued")
        return self


class RetryBody(Body):
    """POST /v1/subscriptions/{customer_uid}/retry."""

    by: Who | None = None


class DecisionBody(Body):
    """POST /v1/parked/{customer_uid}: what was decided, by whom and why; `parked_id` where several things stand."""

    decision: Annotated[Decision, Field(strict=False)]
    by: Who
    reason: Words
    parked_id: Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[\x21-\x7e]+$")] | None = None

    @model_validator(mode="after")
    def _says_who_and_why(self) -> Self:
        if not self.by.strip() or not self.reason.strip():
            raise ValueError("by and reason must not be blank")
        return self
