"""What Alembic runs: the migrations on the connection that `billing.ledger.migrate` hands over."""

from typing import Any, Literal

from alembic import context
from sqlalchemy.types import TypeDecorator

from billing.ledger.tables import metadata


def in_plain_types(kind: str, thing: Any, _autogen_context: Any) -> str | Literal[False]:
    """How a drafted migration spells a type: in SQLAlchemy's own words, so that old migrations never move with us."""
    if kind == "type" and isinstance(thing, TypeDecorator):
        return f"sa.{thing.impl_instance!r}"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    render_as_batch=True,
    render_item=in_plain_types,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
