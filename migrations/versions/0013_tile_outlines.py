"""A function that simplifies shapes of many vertices for tiles in bounded time."""

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

FUNCTION = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    op.get_bind().exec_driver_sql(FUNCTION.read_text())


def downgrade() -> None:
    op.execute("DROP FUNCTION tile_outline(geometry, box2d, float8)")
