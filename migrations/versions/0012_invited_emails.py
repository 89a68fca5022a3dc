"""By which email collaborators were invited, and by whom a user is not to be invited."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # null for all who are collaborators already: nobody knows how they were invited
    op.add_column("map_collaborators", sa.Column("invited_email", sa.String(), nullable=True))
    op.create_table(
        "blocked_users",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("blocked_user_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("user_id <> blocked_user_id", name=op.f("ck_blocked_users_others")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_blocked_users_user_id")),
        sa.ForeignKeyConstraint(
            ["blocked_user_id"], ["users.id"], name=op.f("fk_blocked_users_blocked_user_id")
        ),
        sa.PrimaryKeyConstraint("user_id", "blocked_user_id", name=op.f("pk_blocked_users")),
    )
    op.create_index(op.f("ix_blocked_users_blocked_user_id"), "blocked_users", ["blocked_user_id"])


def downgrade() -> None:
    op.drop_table("blocked_users")
    op.drop_column("map_collaborators", "invited_email")
