"""Jobs with their queue, and imports."""

from pathlib import Path

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_REMOVE_QUEUE = """
DO $$
DECLARE
    object text;
BEGIN
    DROP TABLE procrastinate_periodic_defers, procrastinate_events, procrastinate_jobs,
        procrastinate_workers CASCADE;
    FOR object IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE proname LIKE 'procrastinate\\_%%' AND pronamespace = 'public'::regnamespace
    LOOP
        EXECUTE 'DROP FUNCTION ' || object;
    END LOOP;
    DROP TYPE procrastinate_job_status, procrastinate_job_event_type, procrastinate_job_to_defer_v1;
END $$"""


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
    # the tables of the release that uv.lock names; those of a later one need a migration here
    connection.exec_driver_sql(SchemaManager.get_schema().replace("%", "%%"))


def downgrade() -> None:
    for table in ("jobs", "import_changes", "import_layers", "imports"):
        op.drop_table(table)
    op.get_bind().exec_driver_sql(_REMOVE_QUEUE)
