"""Alembic's environment: runs migrations on the connection that `samsyn_model.migrations` gives."""

from alembic import context

from samsyn_model.migrations import drift_options
from samsyn_model.tables import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, **drift_options())
with context.begin_transaction():
    context.run_migrations()
