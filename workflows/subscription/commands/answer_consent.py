"""The buyer answers a question for their consent."""

from datetime import datetime

from temporalio import workflow

from billing.domain.consent import ConsentDecision
from billing.domain.events import EventType
from billing.domain.refusals import Refusal, need
from billing.domain.states import ConsentState
from billing.domain.subscription import (
    consenting,
)
from billing.domain.subscription.answers import OrderAnswered
from billing.domain.subscription.consent_answer import ConsentAnswer
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows.subscription.commands.command import Command
from workflows.subscription.commands.texts import of_an_answer

CONSENT_ANSWERED = Refusal(
    "consent_answered", "a refusal may be thought better of; what was granted is taken back by POST …/cancel"
)
CONSENT_NOT_ASKED = Refusal("consent_not_asked", "consent.requested says when it is")
_ANSWERED = frozenset({ConsentState.GRANTED, ConsentState.REFUSED, ConsentState.LAPSED})


class AnswerConsent(ConsentAnswer):
    """The buyer's explicit answer to a question that was asked."""


def guard(message: AnswerConsent, subscription: Subscription, _now: datetime) -> None:
    """One answer counts, but a refusal may be thought better of; consent that was given is taken back by canceling."""
    consent = subscription.state.consent
    reconsidered = consent.state is ConsentState.REFUSED and message.decision is ConsentDecision.GRANTED
    answered = consent.state in _ANSWERED and not reconsidered
    need(not answered, CONSENT_ANSWERED, f"it was answered before: {consent.state.value}")
    asked = consent.state is ConsentState.ASKED or reconsidered
    opens_at = consent.need.opens_at.isoformat() if consent.need is not None else None
    when = f"; it will be from {opens_at}" if consent.state is ConsentState.WINDOW_CLOSED else ""
    need(asked, CONSENT_NOT_ASKED, f"no consent is asked for now{when}")


async def work(subscription: Subscription, recording: Recording, message: AnswerConsent) -> OrderAnswered:
    """Note the answer with what was shown; a refusal ends the subscription or holds the price, by the plan."""
    return consenting.answer(subscription, recording, workflow.now(), message)


COMMAND = Command(
    name="answer_consent",
    path="consent",
    summary="The buyer's explicit answer to a consent that is asked for.",
    message=AnswerConsent,
    guard=guard,
    work=work,
    refusals=(CONSENT_ANSWERED, CONSENT_NOT_ASKED),
    events=(EventType.CONSENT_GRANTED, EventType.CONSENT_REFUSED),
    faults=of_an_answer,
)
