"""Responses of other servers that are kept, and how often those were asked."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_responses",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("fresh_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kept_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_kept_responses")),
    )
    op.create_index(op.f("ix_kept_responses_kept_until"), "kept_responses", ["kept_until"])
    op.create_table(
        "daily_calls",
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("server", "day", name=op.f("pk_daily_calls")),
    )


def downgrade() -> None:
    op.drop_table("daily_calls")
    op.drop_table("kept_responses")
