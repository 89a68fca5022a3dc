"""Change sets, the versions of features that were, and deleted layers."""

import re
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TRIGGERS = Path(__file__).with_suffix(".sql")
_FORMER = Path(__file__).with_name("0001_tables.sql")
_REPLACED = (
    "keep_feature_version",
    *("count_inserted_features", "count_updated_features", "count_deleted_features"),
    "delete_layer_features",
)
_RECORDED = (
    *("layers", "maps", "map_layers", "map_collaborators", "comments", "api_tokens", "imports"),
)
_SPAN = "int8range(LEAST(from_change, to_change), GREATEST(from_change, to_change), '[]')"
_JSON = postgresql.JSONB(astext_type=sa.Text())
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    # without a default, which later rows alone have: the table is not written anew
    op.add_column("layer_features", sa.Column("change_set", sa.BigInteger(), nullable=True))
    op.alter_column(
        "layer_features",
        "change_set",
        server_default=sa.text("(NULLIF(current_setting('samsyn.change_set', true), ''))::bigint"),
    )
    _create_change_sets()
    _create_layer_change_sets()
    _create_feature_versions()
    op.create_table(
        "deleted_layers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("definition", _JSON, nullable=False),
        sa.Column("feature_count", sa.BigInteger(), nullable=False),
        sa.Column("data_version", sa.BigInteger(), nullable=False),
        sa.Column("change_set_id", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deleted_layers")),
    )
    op.create_index("ix_deleted_layers_created_by", "deleted_layers", ["created_by", "deleted_at"])
    op.get_bind().exec_driver_sql(TRIGGERS.read_text().replace("%", "%%"))


def _create_change_sets() -> None:
    op.create_table(
        "change_sets",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("via", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column("message", sa.String(), nullable=True),
        sa.Column("created_at", _TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint(
            "via IN ('web', 'ogc', 'import', 'restore', 'undo', 'job', 'command', 'database')",
            name=op.f("ck_change_sets_via"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_sets")),
    )
    op.create_index("ix_change_sets_user_id_id", "change_sets", ["user_id", "id"])
    op.create_table(
        "subject_changes",
        sa.Column("change_set_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("map_id", sa.Uuid(), nullable=True),
        sa.Column("layer_id", sa.Uuid(), nullable=True),
        sa.Column("details", _JSON, nullable=False),
        sa.CheckConstraint(
            "kind IN ('layer', 'map', 'map_layer', 'collaborator', 'comment', 'token', 'import')",
            name=op.f("ck_subject_changes_kind"),
        ),
        sa.CheckConstraint(
            "action IN ('create', 'update', 'delete')", name=op.f("ck_subject_changes_action")
        ),
        sa.ForeignKeyConstraint(
            ["change_set_id"],
            ["change_sets.id"],
            name=op.f("fk_subject_changes_change_set_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("change_set_id", "id", name=op.f("pk_subject_changes")),
    )
    for column in ("map_id", "layer_id"):
        op.create_index(
            f"ix_subject_changes_{column}",
            "subject_changes",
            [column, "change_set_id"],
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )


def _create_layer_change_sets() -> None:
    op.create_table(
        "layer_change_sets",
        sa.Column("layer_id", sa.Uuid(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("change_set_id", "inserted", "updated", "deleted")
        ),
        sa.Column("committed_at", _TIME, nullable=False),
        sa.Column("latest", sa.BigInteger(), nullable=False),
        sa.Column("overtaken_at", _TIME, nullable=True),
        *(
            sa.Column(name, sa.BigInteger(), nullable=True)
            for name in ("feature_count", "first_id", "last_id")
        ),
        sa.PrimaryKeyConstraint("layer_id", "change_set_id", name=op.f("pk_layer_change_sets")),
    )
    op.create_index(
        "uq_layer_change_sets_committed_at",
        "layer_change_sets",
        ["layer_id", "committed_at"],
        unique=True,
    )
    op.create_index("ix_layer_change_sets_change_set_id", "layer_change_sets", ["change_set_id"])
    op.create_index(
        "ix_layer_change_sets_overtaken",
        "layer_change_sets",
        ["layer_id", sa.text("tstzrange(overtaken_at, committed_at)")],
        postgresql_using="gist",
        postgresql_where=sa.text("overtaken_at IS NOT NULL"),
    )


def _create_feature_versions() -> None:
    op.create_table(
        "feature_versions",
        sa.Column("layer_id", sa.Uuid(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("feature_id", "to_change", "from_change")
        ),
        sa.Column("was_deleted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column(
            "geom", Geometry(geometry_type=None, srid=-1, spatial_index=False), nullable=True
        ),
        sa.Column("properties", _JSON, nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("updated_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint(
            *("layer_id", "feature_id", "to_change", "from_change"),
            name=op.f("pk_feature_versions"),
        ),
    )
    op.create_index(
        "ix_feature_versions_deleted",
        "feature_versions",
        ["layer_id", "feature_id", "to_change"],
        postgresql_where=sa.text("was_deleted"),
    )
    op.create_index(
        "ix_feature_versions_geom",
        "feature_versions",
        ["layer_id", "geom", sa.text(_SPAN)],
        postgresql_using="gist",
    )
    op.create_index(
        "ix_feature_versions_updated_at",
        "feature_versions",
        ["layer_id", "updated_at", "feature_id"],
    )


def downgrade() -> None:
    for name in ("updated", "deleted", "truncated"):
        op.execute(f"DROP TRIGGER keep_{name}_features ON layer_features")
        op.execute(f"DROP FUNCTION keep_{name}_features()")
    op.execute("DROP TRIGGER begin_change_set ON layer_features")
    op.execute("DROP TRIGGER record_layer_order ON map_layers")
    for table in _RECORDED:
        op.execute(f"DROP TRIGGER record_subject_change ON {table}")
    former = _FORMER.read_text()
    for name in _REPLACED:
        found = re.search(
            rf"^CREATE (FUNCTION {name}\(.*?^END \$\$;)", former, re.DOTALL | re.MULTILINE
        )
        if found is None:
            raise LookupError(name)
        op.get_bind().exec_driver_sql(f"CREATE OR REPLACE {found[1]}".replace("%", "%%"))
    op.drop_column("layer_features", "change_set")
    for table in (
        *("deleted_layers", "feature_versions", "layer_change_sets", "subject_changes"),
        "change_sets",
    ):
        op.drop_table(table)
    for function in (
        *("record_subject_change()", "record_layer_order()"),
        *("begin_change_set()", "commit_change_set()", "current_change_set()"),
        "note_changed_features(uuid, bigint, bigint, bigint)",
    ):
        op.execute(f"DROP FUNCTION {function}")
