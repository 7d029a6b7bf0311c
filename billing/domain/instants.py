"""What counts as an instant in this project: an aware datetime in UTC."""

from datetime import UTC, datetime, timedelta

AT_ONCE = datetime.min.replace(tzinfo=UTC)
"""The instant of what is to be done now, whatever time it is."""


def require_utc(name: str, instant: datetime | None) -> None:
    """Refuse an instant that is naive or carries another offset than UTC; `None` passes.

    Raises:
        ValueError: naming the field, because two instants that look alike and differ by nine hours are a wrong charge.
    """
    if instant is not None and instant.utcoffset() != timedelta(0):
        raise ValueError(f"{name} must be an aware UTC datetime, got {instant.isoformat()}")


def rfc3339(instant: datetime) -> str:
    """The instant as RFC 3339 in UTC, "2026-01-31T00:00:00Z".

    Raises:
        ValueError: it is not aware UTC.
    """
    require_utc("instant", instant)
    return instant.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")
