"""Notices of what was committed, in its order, and who has a map open."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

TRIGGERS = Path(__file__).with_suffix(".sql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "change_notices",
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("change_set_id", sa.BigInteger(), nullable=False),
        sa.Column("committed_at", _TIME, nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
            for name in ("inserted", "updated", "deleted")
        ),
        sa.Column("features", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("subject_id", "position", name=op.f("pk_change_notices")),
    )
    for column in ("position", "change_set_id"):
        op.create_index(op.f(f"ix_change_notices_{column}"), "change_notices", [column])
    op.create_table(
        "map_viewers",
        sa.Column("map_id", sa.Uuid(), nullable=False),
        sa.Column("companion_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("viewers", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint(
            *("map_id", "companion_id", "user_id"), name=op.f("pk_map_viewers")
        ),
        prefixes=["UNLOGGED"],
    )
    op.get_bind().exec_driver_sql(TRIGGERS.read_text().replace("%", "%%"))


def downgrade() -> None:
    op.execute("DROP TRIGGER notice_change_set ON change_sets")
    for operation in ("inserted", "updated", "deleted"):
        op.execute(f"DROP TRIGGER notice_{operation}_features ON layer_features")
    op.execute("DROP FUNCTION notice_change_set()")
    op.execute("DROP FUNCTION notice_features()")
    op.execute("DROP SEQUENCE change_positions")
    op.drop_table("map_viewers")
    op.drop_table("change_notices")
