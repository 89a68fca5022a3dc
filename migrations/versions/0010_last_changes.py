"""An index for the last changes of a layer's features."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # it is there where an operator has created it beforehand, without blocking writers
    op.create_index(
        "ix_layer_features_layer_id_updated_at_id",
        "layer_features",
        ["layer_id", "updated_at", "id"],
        if_not_exists=True,
    )


def downgrade() -> None:
    op.drop_index("ix_layer_features_layer_id_updated_at_id", table_name="layer_features")
