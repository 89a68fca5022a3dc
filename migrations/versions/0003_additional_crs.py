"""Coordinate reference systems that a layer adds to those that every layer can be read in."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "layers",
        sa.Column("additional_crs", ARRAY(sa.Integer), nullable=False, server_default="{}"),
    )
    op.create_check_constraint(
        "additional_crs",
        "layers",
        "cardinality(additional_crs) <= CASE source_type WHEN 'vector' THEN 16 ELSE 0 END",
    )


def downgrade() -> None:
    op.drop_column("layers", "additional_crs")
