"""Web map servers, raster files of layers, keys to sign with, and layers by their addresses."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

FUNCTION = Path(__file__).with_suffix(".sql")
_JSON = postgresql.JSONB(astext_type=sa.Text())


def _row() -> list[sa.Column]:
    return [
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        *(
            sa.Column(
                name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
            )
            for name in ("created_at", "updated_at")
        ),
    ]


def upgrade() -> None:
    op.get_bind().exec_driver_sql(FUNCTION.read_text())
    op.create_index(
        "ix_layers_source_addresses",
        "layers",
        [sa.text("source_addresses(source_config)")],
        postgresql_using="gin",
        postgresql_where=sa.text("source_type <> 'vector'"),
    )
    op.create_table(
        "wms_servers",
        *_row(),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("base_url", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("service_title", sa.String(), nullable=True),
        sa.Column("service_provider", sa.String(), nullable=True),
        sa.Column("layer_count", sa.BigInteger(), nullable=False),
        sa.Column("capabilities", _JSON, nullable=False),
        sa.Column("cached_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 255", name=op.f("ck_wms_servers_name")),
        sa.CheckConstraint("version IN ('1.1.1', '1.3.0')", name=op.f("ck_wms_servers_version")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name=op.f("fk_wms_servers_created_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wms_servers")),
    )
    op.create_index(
        "uq_wms_servers_base_url", "wms_servers", [sa.text("md5(base_url)")], unique=True
    )
    op.create_index("ix_wms_servers_created_at_id", "wms_servers", ["created_at", "id"])
    op.create_table(
        "raster_files",
        *_row(),
        sa.Column("layer_id", sa.Uuid(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("original_key", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("info", _JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["layer_id"],
            ["layers.id"],
            name=op.f("fk_raster_files_layer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_raster_files")),
    )
    op.create_index(
        "uq_raster_files_layer_id_time",
        "raster_files",
        ["layer_id", "time"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.add_column("import_layers", sa.Column("rasters", _JSON, nullable=True))
    for table in ("wms_servers", "raster_files"):
        op.execute(
            f"CREATE TRIGGER keep_updated_at BEFORE UPDATE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION keep_updated_at()"
        )
    op.create_table(
        "deployment_keys",
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("purpose", name=op.f("pk_deployment_keys")),
    )


def downgrade() -> None:
    op.drop_table("deployment_keys")
    op.drop_column("import_layers", "rasters")
    op.drop_table("raster_files")
    op.drop_table("wms_servers")
    op.drop_index("ix_layers_source_addresses", table_name="layers")
    op.execute("DROP FUNCTION source_addresses(jsonb)")
