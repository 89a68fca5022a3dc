"""The chain over all change sets, and since when the history of a layer is kept."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TRIGGERS = Path(__file__).with_suffix(".sql")
_TIME = sa.DateTime(timezone=True)
_INDEXES = (
    ("layer_features", "change_set"),
    ("feature_versions", "from_change"),
    ("feature_versions", "to_change"),
)


def upgrade() -> None:
    for table, column in _INDEXES:
        # they are there where an operator has created them beforehand, without blocking writers
        op.create_index(f"ix_{table}_{column}", table, [column], if_not_exists=True)
    op.create_table(
        "history_horizons",
        sa.Column("layer_id", sa.Uuid(), nullable=False),
        sa.Column("begins_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("layer_id", name=op.f("pk_history_horizons")),
    )
    op.create_table(
        "unsealed_change_sets",
        sa.Column("change_set_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("change_set_id", name=op.f("pk_unsealed_change_sets")),
    )
    _create_seals()
    op.create_table(
        "daily_heads",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_daily_heads")),
    )
    op.get_bind().exec_driver_sql(TRIGGERS.read_text().replace("%", "%%"))


def _create_seals() -> None:
    op.create_table(
        "change_seals",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("change_set_id", sa.BigInteger(), nullable=False),
        sa.Column("sealed_at", _TIME, nullable=False),
        sa.Column("own_digest", sa.LargeBinary(), nullable=False),
        *(
            sa.Column(name, sa.LargeBinary(), nullable=True)
            for name in ("subjects_digest", "texts_digest", "salt")
        ),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_change_seals")),
        sa.UniqueConstraint("change_set_id", name=op.f("uq_change_seals_change_set_id")),
    )
    op.create_table(
        "layer_seals",
        sa.Column("layer_id", sa.Uuid(), nullable=False),
        sa.Column("change_set_id", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.BigInteger(), nullable=False),
        sa.Column("row_digest", sa.LargeBinary(), nullable=True),
        sa.Column("made", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("digests", sa.LargeBinary(), nullable=False),
        *(
            sa.Column(name, sa.ARRAY(sa.BigInteger()), nullable=False)
            for name in ("ended", "ended_from")
        ),
        sa.Column("deleted", sa.ARRAY(sa.Boolean()), nullable=False),
        sa.PrimaryKeyConstraint(
            *("layer_id", "change_set_id", "part"), name=op.f("pk_layer_seals")
        ),
    )
    op.create_index("ix_layer_seals_change_set_id", "layer_seals", ["change_set_id"])


def downgrade() -> None:
    op.execute("DROP TRIGGER queue_change_set ON change_sets")
    op.execute("DROP TRIGGER forget_change_set ON change_sets")
    op.execute("DROP FUNCTION queue_change_set()")
    op.execute("DROP FUNCTION forget_change_set()")
    for table in (
        *("daily_heads", "layer_seals", "change_seals", "unsealed_change_sets"),
        "history_horizons",
    ):
        op.drop_table(table)
    for table, column in _INDEXES:
        op.drop_index(f"ix_{table}_{column}", table_name=table)
