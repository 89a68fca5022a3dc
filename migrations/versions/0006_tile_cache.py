"""Tiles that took long to make are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tile_cache",
        sa.Column("slot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("slot", name=op.f("pk_tile_cache")),
    )
    # compressing takes longer than a tile is worth
    op.execute("ALTER TABLE tile_cache ALTER COLUMN content SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.drop_table("tile_cache")
