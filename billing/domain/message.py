"""What every message that crosses a process is built on.

Messages may only gain optional fields: one written by an old worker is read by a new one, and the other way round.
No message carries card data; a card is named by the handle of the one-time vault.
"""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A frozen message; unknown fields of a newer sender are ignored."""

    model_config = ConfigDict(frozen=True)
