"""Indexes on properties of a layer's features, for those that are asked for."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TRIGGERS = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    op.add_column(
        "layers",
        sa.Column("indexed_properties", ARRAY(sa.Text), nullable=False, server_default="{}"),
    )
    op.create_check_constraint(
        "indexed_properties",
        "layers",
        "cardinality(indexed_properties) <= CASE source_type WHEN 'vector' THEN 8 ELSE 0 END",
    )
    op.create_table(
        "property_values",
        sa.Column("layer_id", sa.Uuid(), nullable=False),
        sa.Column("feature_id", sa.BigInteger(), nullable=False),
        sa.Column("property", sa.Text(), nullable=False),
        sa.Column("number", sa.Double(), nullable=True),
        sa.Column("text", sa.Text(collation="C"), nullable=True),
        sa.PrimaryKeyConstraint("layer_id", "feature_id", "property"),
    )
    for column in ("number", "text"):
        op.create_index(
            f"ix_property_values_{column}",
            "property_values",
            ["layer_id", "property", column, "feature_id"],
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )
    op.get_bind().exec_driver_sql(TRIGGERS.read_text().replace("%", "%%"))


def downgrade() -> None:
    for function in (
        "index_properties",
        "index_inserted_features",
        "index_updated_features",
        "index_deleted_features",
        "index_truncated_features",
        "indexed_number",
        "indexed_text",
    ):
        op.execute(f"DROP FUNCTION {function} CASCADE")
    op.drop_table("property_values")
    op.drop_column("layers", "indexed_properties")
