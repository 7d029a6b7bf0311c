"""Column types that write and read the same on SQLite and PostgreSQL."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import JSON, DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator

from billing.domain.plans import PlanTerms
from billing.domain.records import SubscriptionLife

MAX_ID_LENGTH = 255
"""The longest id that is stored: every id of PortOne and of this project is far shorter."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_TERMS = TypeAdapter(PlanTerms)
_LIFE = TypeAdapter(SubscriptionLife)

Member = TypeVar("Member", bound=StrEnum)


def require_id(value: str) -> str:
    """`value`, when it can be stored as an id on both databases.

    Raises:
        ValueError: longer than MAX_ID_LENGTH, or with control characters, which PostgreSQL refuses and SQLite does not.
    """
    if len(value) > MAX_ID_LENGTH or _CONTROL.search(value):
        raise ValueError(f"an id has at most {MAX_ID_LENGTH} characters and no control characters")
    return value


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant; SQLite, which knows no zones, stores it as naive UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive datetimes: they would mean another instant on another machine."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("instants are aware")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's hook
        """Give every instant its zone back."""
        if value is None:
            return None
        instant: datetime = value
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


class Id(TypeDecorator[str]):
    """A name that things are found by; refused rather than changed when it cannot be stored."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's hook
        """Refuse what only one of the two databases would take."""
        return None if value is None else require_id(value)


class Words(TypeDecorator[str]):
    """Text for people, often PortOne's; what no database can store in it becomes U+FFFD, so that it never blocks."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's hook
        """Replace NUL and half characters: a strange decline message must not keep a decline from being booked."""
        return None if value is None else _UNSTORABLE.sub("\ufffd", value)


class State(TypeDecorator[Member], Generic[Member]):
    """A member of one of the domain's enums, stored as its value."""

    impl = Text
    cache_ok = True

    def __init__(self, members: type[Member]) -> None:
        super().__init__()
        self.members = members

    def process_bind_param(self, value: Member | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's hook
        """The member's value."""
        return None if value is None else value.value

    def process_result_value(self, value: Any, dialect: Dialect) -> Member | None:  # noqa: ARG002 - SQLAlchemy's hook
        """The member of that value."""
        return None if value is None else self.members(value)


class Terms(TypeDecorator[PlanTerms]):
    """The terms of a plan, as one JSON document."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: PlanTerms | None, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's hook
        """Every field by its name."""
        return None if value is None else _TERMS.dump_python(value, mode="json")

    def process_result_value(self, value: Any, dialect: Dialect) -> PlanTerms | None:  # noqa: ARG002 - SQLAlchemy's hook
        """The same terms again."""
        return None if value is None else _TERMS.validate_python(value)


class Life(TypeDecorator[SubscriptionLife]):
    """What a subscription holds beside its period, as one JSON document; a row from before has the default one."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: SubscriptionLife | None, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's hook
        """Every field by its name."""
        return None if value is None else _LIFE.dump_python(value, mode="json")

    def process_result_value(self, value: Any, dialect: Dialect) -> SubscriptionLife:  # noqa: ARG002 - SQLAlchemy's hook
        """The same life again."""
        return SubscriptionLife() if value is None else _LIFE.validate_python(value)
