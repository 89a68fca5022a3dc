"""When a person's former account was deleted: sessions begun before are not valid."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("sessions_after", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("users", "sessions_after")
