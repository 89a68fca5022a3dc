"""What activity is read by: indexes of change sets; administration is recorded too."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_FORMER = ("layer", "map", "map_layer", "collaborator", "comment", "token", "import")
_ADDED = ("user", "wms_server")


def upgrade() -> None:
    op.create_index("ix_change_sets_created_at", "change_sets", ["created_at"])
    op.create_index(
        "ix_subject_changes_layer_alone",
        "subject_changes",
        ["layer_id", "change_set_id"],
        postgresql_where=sa.text("map_id IS NULL AND layer_id IS NOT NULL"),
    )
    _set_kinds(*_FORMER, *_ADDED)
    op.execute("""
CREATE TRIGGER record_subject_change AFTER UPDATE OF is_admin ON users
    FOR EACH ROW WHEN (OLD.is_admin <> NEW.is_admin)
    EXECUTE FUNCTION record_subject_change('user', 'is_admin', '')""")
    op.execute("""
CREATE TRIGGER record_new_administrator AFTER INSERT ON users
    FOR EACH ROW WHEN (NEW.is_admin)
    EXECUTE FUNCTION record_subject_change('user', 'is_admin', '')""")
    op.execute("""
CREATE TRIGGER record_subject_change AFTER INSERT OR UPDATE OR DELETE ON wms_servers
    FOR EACH ROW EXECUTE FUNCTION record_subject_change('wms_server',
        'name,base_url', 'description')""")


def downgrade() -> None:
    op.execute("DROP TRIGGER record_subject_change ON wms_servers")
    op.execute("DROP TRIGGER record_new_administrator ON users")
    op.execute("DROP TRIGGER record_subject_change ON users")
    op.execute("DELETE FROM subject_changes WHERE kind IN ('user', 'wms_server')")
    _set_kinds(*_FORMER)
    op.drop_index("ix_subject_changes_layer_alone", "subject_changes")
    op.drop_index("ix_change_sets_created_at", "change_sets")


def _set_kinds(*kinds: str) -> None:
    name = op.f("ck_subject_changes_kind")
    op.drop_constraint(name, "subject_changes")
    condition = f"kind IN ({', '.join(repr(kind) for kind in kinds)})"
    op.create_check_constraint(name, "subject_changes", condition)
