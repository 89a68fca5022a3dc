"""Alembic's environment, on the connection that `samsyn_model.database.migrations` passes."""

from alembic import context

from samsyn_model.database.migrations import drift_options
from samsyn_model.tables.metadata import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, **drift_options())
with context.begin_transaction():
    context.run_migrations()
