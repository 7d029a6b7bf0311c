"""What counts as an instant in this project: an aware datetime in UTC."""

from datetime import datetime, timedelta


def require_utc(name: str, instant: datetime | None) -> None:
    """Refuse an instant that is naive or carries another offset than UTC; `None` passes.

    Raises:
        ValueError: naming the field, because two instants that look alike and differ by nine hours are a wrong charge.
    """
    if instant is not None and instant.utcoffset() != timedelta(0):
        raise ValueError(f"{name} must be an aware UTC datetime, got {instant.isoformat()}")
