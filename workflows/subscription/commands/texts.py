"""Bounds of what a command carries in words."""

from collections.abc import Iterable

from billing.domain import bounds
from billing.domain.consent import MAX_SHOWN_LENGTH
from billing.domain.subscription.consent_answer import ConsentAnswer
from billing.domain.subscription.decision import DecisionTaken
from workflows.subscription.commands.command import Fault


def text(field: str, value: str | None, longest: int) -> Fault:
    """What is wrong with a text."""
    return field, None if value is None else bounds.text_fault(value, longest)


def of_an_answer(answer: ConsentAnswer) -> Iterable[Fault]:
    """What is wrong with a buyer's answer."""
    blank = not answer.shown.strip() or not answer.by.strip() or not answer.locale.strip()
    return [
        ("shown", "must not be blank, nor by, nor locale" if blank else None),
        ("shown", bounds.text_fault(answer.shown, MAX_SHOWN_LENGTH, lines=True)),
        text("by", answer.by, bounds.MAX_WHO),
        text("locale", answer.locale, bounds.MAX_LOCALE),
        text("ip", answer.ip, bounds.MAX_IP),
        text("user_agent", answer.user_agent, bounds.MAX_USER_AGENT),
    ]


def of_a_decision(decision: DecisionTaken) -> Iterable[Fault]:
    """What is wrong with a person's decision."""
    return [text("by", decision.by, bounds.MAX_WHO), text("reason", decision.reason, bounds.MAX_REASON)]
