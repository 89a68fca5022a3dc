"""Indexes for the lists of maps and layers, and for the words that they are searched by."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SEARCHED = sa.text("(name || ' ' || coalesce(description, '')) gin_trgm_ops")


def upgrade() -> None:
    for table in ("layers", "maps"):
        op.create_index(f"ix_{table}_text", table, [SEARCHED], postgresql_using="gin")
    op.create_index(
        "ix_maps_public",
        "maps",
        ["updated_at", "id"],
        postgresql_where=sa.text("view_permission = 'public'"),
    )


def downgrade() -> None:
    op.drop_index("ix_maps_public", table_name="maps")
    for table in ("maps", "layers"):
        op.drop_index(f"ix_{table}_text", table_name=table)
