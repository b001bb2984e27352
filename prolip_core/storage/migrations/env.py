"""Run by Alembic: applies the migrations to the connection that `database.open_database` hands over."""

from alembic import context

from prolip_core.storage.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter most things in place
)
with context.begin_transaction():
    context.run_migrations()
