"""What tells when a layer's features are always has an index, which gives its temporal extent."""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TRIGGERS = Path(__file__).with_suffix(".sql")
_MOST = "cardinality(indexed_properties) <= CASE source_type WHEN 'vector' THEN {} ELSE 0 END"


def upgrade() -> None:
    op.drop_constraint(op.f("ck_layers_indexed_properties"), "layers")
    op.create_check_constraint("indexed_properties", "layers", _MOST.format(10))
    op.get_bind().exec_driver_sql(TRIGGERS.read_text().replace("%", "%%"))


def downgrade() -> None:
    for statement in (
        "DROP TRIGGER index_times ON layers",
        "DROP TRIGGER index_properties ON layers",
        "CREATE TRIGGER index_properties AFTER UPDATE OF indexed_properties ON layers"
        " FOR EACH ROW WHEN (OLD.indexed_properties IS DISTINCT FROM NEW.indexed_properties)"
        " EXECUTE FUNCTION index_properties()",
        "DROP FUNCTION index_times()",
        "DROP FUNCTION layer_times(layers)",
        "DROP FUNCTION time_properties(layers)",
        "UPDATE layers SET indexed_properties = indexed_properties[1\\:8]",
    ):
        op.execute(statement)
    op.drop_constraint(op.f("ck_layers_indexed_properties"), "layers")
    op.create_check_constraint("indexed_properties", "layers", _MOST.format(8))
