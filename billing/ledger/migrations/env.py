"""What Alembic runs: the migrations on the connection that `billing.ledger.migrate` hands over."""

from alembic import context

from billing.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
