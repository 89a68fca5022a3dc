"""Every table, and the triggers that keep counts and times."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TRIGGERS = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    op.create_table(
        "layer_features",
        sa.Column("layer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "geom",
            Geometry(
                geometry_type=None,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
            ),
            nullable=True,
        ),
        sa.Column(
            "properties",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("updated_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "jsonb_typeof(properties) = 'object'", name=op.f("ck_layer_features_properties")
        ),
        sa.CheckConstraint(
            "ST_SRID(geom) = 4326 AND ST_Zmflag(geom) IN (0, 2)",
            name=op.f("ck_layer_features_geom"),
        ),
        sa.PrimaryKeyConstraint("layer_id", "id", name=op.f("pk_layer_features")),
    )
    op.create_index(
        "ix_layer_features_layer_id_geom",
        "layer_features",
        ["layer_id", "geom"],
        unique=False,
        postgresql_using="gist",
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("clerk_id", sa.String(), nullable=True),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("username", sa.String(), nullable=True),
        sa.Column("first_name", sa.String(), nullable=True),
        sa.Column("last_name", sa.String(), nullable=True),
        sa.Column("profile_image_url", sa.String(), nullable=True),
        sa.Column("is_admin", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("clerk_updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("clerk_id", name=op.f("uq_users_clerk_id")),
    )
    op.create_index(
        "uq_users_email_live",
        "users",
        [sa.literal_column("lower(email)")],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "webhook_events",
        sa.Column("svix_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("svix_id", name=op.f("pk_webhook_events")),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), server_default="read", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("scope IN ('read', 'write')", name=op.f("ck_api_tokens_scope")),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 255", name=op.f("ck_api_tokens_name")),
        sa.CheckConstraint("octet_length(token_hash) = 32", name=op.f("ck_api_tokens_token_hash")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_tokens_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
    )
    op.create_index(op.f("ix_api_tokens_user_id"), "api_tokens", ["user_id"], unique=False)
    op.create_table(
        "layers",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("category", sa.String(), nullable=True),
        sa.Column("source_type", sa.String(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("editable", sa.String(), server_default="creator-only", nullable=False),
        sa.Column("is_global", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("visibility", sa.String(), server_default="private", nullable=False),
        sa.Column("creation_source", sa.String(), server_default="system", nullable=False),
        sa.Column(
            "source_config",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "style_config",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "legend_config",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "layer_metadata",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "property_schema",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
        ),
        sa.Column("geometry_type", sa.String(), nullable=True),
        sa.Column("time_field", sa.String(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "creation_source IN ('layer_creator', 'admin_panel', 'system')",
            name=op.f("ck_layers_creation_source"),
        ),
        sa.CheckConstraint(
            "editable IN ('creator-only', 'everyone')", name=op.f("ck_layers_editable")
        ),
        sa.CheckConstraint(
            "geometry_type IN ('Point', 'LineString', 'Polygon', 'MultiPoint', 'MultiLineString',"
            " 'MultiPolygon', 'GeometryCollection')",
            name=op.f("ck_layers_geometry_type"),
        ),
        sa.CheckConstraint(
            "jsonb_typeof(layer_metadata) = 'object'", name=op.f("ck_layers_layer_metadata")
        ),
        sa.CheckConstraint(
            "jsonb_typeof(legend_config) = 'object'", name=op.f("ck_layers_legend_config")
        ),
        sa.CheckConstraint(
            "jsonb_typeof(property_schema) = 'object'", name=op.f("ck_layers_property_schema")
        ),
        sa.CheckConstraint(
            "jsonb_typeof(source_config) = 'object'", name=op.f("ck_layers_source_config")
        ),
        sa.CheckConstraint(
            "jsonb_typeof(style_config) = 'object'", name=op.f("ck_layers_style_config")
        ),
        sa.CheckConstraint(
            "source_type = 'vector' OR"
            " (property_schema IS NULL AND geometry_type IS NULL AND time_field IS NULL)",
            name=op.f("ck_layers_vector_only"),
        ),
        sa.CheckConstraint(
            "source_type IN ('wms', 'geotiff', 'vector')", name=op.f("ck_layers_source_type")
        ),
        sa.CheckConstraint(
            "visibility IN ('private', 'public')", name=op.f("ck_layers_visibility")
        ),
        sa.CheckConstraint("char_length(category) <= 100", name=op.f("ck_layers_category")),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 255", name=op.f("ck_layers_name")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_layers_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_layers")),
    )
    op.create_index("ix_layers_created_at_id", "layers", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_layers_created_by"), "layers", ["created_by"], unique=False)
    op.create_index(
        "ix_layers_open",
        "layers",
        ["created_at", "id"],
        unique=False,
        postgresql_where=sa.text("is_global OR visibility = 'public'"),
    )
    op.create_table(
        "maps",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("view_permission", sa.String(), server_default="private", nullable=False),
        sa.Column("edit_permission", sa.String(), server_default="private", nullable=False),
        sa.Column("center_lat", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("center_lng", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("zoom", sa.Double(), server_default=sa.text("2"), nullable=False),
        sa.Column(
            "map_metadata",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "edit_permission IN ('private', 'collaborators', 'public')",
            name=op.f("ck_maps_edit_permission"),
        ),
        sa.CheckConstraint(
            "jsonb_typeof(map_metadata) = 'object'", name=op.f("ck_maps_map_metadata")
        ),
        sa.CheckConstraint(
            "view_permission IN ('private', 'collaborators', 'public')",
            name=op.f("ck_maps_view_permission"),
        ),
        sa.CheckConstraint("center_lat BETWEEN -90 AND 90", name=op.f("ck_maps_center_lat")),
        sa.CheckConstraint("center_lng BETWEEN -180 AND 180", name=op.f("ck_maps_center_lng")),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 255", name=op.f("ck_maps_name")),
        sa.CheckConstraint("zoom BETWEEN 0 AND 22", name=op.f("ck_maps_zoom")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_maps_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maps")),
    )
    op.create_index(op.f("ix_maps_created_by"), "maps", ["created_by"], unique=False)
    op.create_table(
        "comments",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("map_id", sa.Uuid(), nullable=True),
        sa.Column("layer_id", sa.Uuid(), nullable=True),
        sa.Column("feature_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "position",
            Geometry(
                geometry_type="POINT",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
            ),
            nullable=True,
        ),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Uuid(), nullable=True),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "deleted_at IS NOT NULL OR char_length(content) BETWEEN 1 AND 10000",
            name=op.f("ck_comments_content"),
        ),
        sa.CheckConstraint(
            "feature_id IS NULL OR layer_id IS NOT NULL", name=op.f("ck_comments_feature_id")
        ),
        sa.CheckConstraint(
            "map_id IS NOT NULL OR layer_id IS NOT NULL", name=op.f("ck_comments_subject")
        ),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"], name=op.f("fk_comments_author_id")),
        sa.ForeignKeyConstraint(
            ["layer_id"], ["layers.id"], name=op.f("fk_comments_layer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["map_id"], ["maps.id"], name=op.f("fk_comments_map_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["comments.id"], name=op.f("fk_comments_parent_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["resolved_by"], ["users.id"], name=op.f("fk_comments_resolved_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
    )
    op.create_index(op.f("ix_comments_author_id"), "comments", ["author_id"], unique=False)
    op.create_index(
        "ix_comments_layer_id_created_at", "comments", ["layer_id", "created_at"], unique=False
    )
    op.create_index(
        "ix_comments_map_id_created_at", "comments", ["map_id", "created_at"], unique=False
    )
    op.create_index(op.f("ix_comments_parent_id"), "comments", ["parent_id"], unique=False)
    op.create_table(
        "layer_changes",
        sa.Column("layer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("feature_count", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["layer_id"], ["layers.id"], name=op.f("fk_layer_changes_layer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("layer_id", "id", name=op.f("pk_layer_changes")),
    )
    op.create_table(
        "map_collaborators",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("map_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), server_default="viewer", nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("role IN ('viewer', 'editor')", name=op.f("ck_map_collaborators_role")),
        sa.ForeignKeyConstraint(
            ["invited_by"], ["users.id"], name=op.f("fk_map_collaborators_invited_by")
        ),
        sa.ForeignKeyConstraint(
            ["map_id"], ["maps.id"], name=op.f("fk_map_collaborators_map_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_map_collaborators_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_map_collaborators")),
        sa.UniqueConstraint("map_id", "user_id", name=op.f("uq_map_collaborators_map_id_user_id")),
    )
    op.create_index(
        op.f("ix_map_collaborators_user_id"), "map_collaborators", ["user_id"], unique=False
    )
    op.create_table(
        "map_layers",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("map_id", sa.Uuid(), nullable=False),
        sa.Column("layer_id", sa.Uuid(), nullable=False),
        sa.Column("order", sa.BigInteger(), nullable=False),
        sa.Column("visible", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("opacity", sa.BigInteger(), server_default=sa.text("100"), nullable=False),
        sa.Column(
            "style_override",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "jsonb_typeof(style_override) = 'object'", name=op.f("ck_map_layers_style_override")
        ),
        sa.CheckConstraint('"order" >= 0', name=op.f("ck_map_layers_order")),
        sa.CheckConstraint("opacity BETWEEN 0 AND 100", name=op.f("ck_map_layers_opacity")),
        sa.ForeignKeyConstraint(
            ["layer_id"], ["layers.id"], name=op.f("fk_map_layers_layer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["map_id"], ["maps.id"], name=op.f("fk_map_layers_map_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_map_layers")),
        sa.UniqueConstraint("map_id", "layer_id", name=op.f("uq_map_layers_map_id_layer_id")),
        sa.UniqueConstraint(
            "map_id",
            "order",
            deferrable=True,
            initially="DEFERRED",
            name=op.f("uq_map_layers_map_id_order"),
        ),
    )
    op.create_index(op.f("ix_map_layers_layer_id"), "map_layers", ["layer_id"], unique=False)
    op.get_bind().exec_driver_sql(TRIGGERS.read_text().replace("%", "%%"))


def downgrade() -> None:
    op.drop_index(op.f("ix_map_layers_layer_id"), table_name="map_layers")
    op.drop_table("map_layers")
    op.drop_index(op.f("ix_map_collaborators_user_id"), table_name="map_collaborators")
    op.drop_table("map_collaborators")
    op.drop_table("layer_changes")
    op.drop_index(op.f("ix_comments_parent_id"), table_name="comments")
    op.drop_index("ix_comments_map_id_created_at", table_name="comments")
    op.drop_index("ix_comments_layer_id_created_at", table_name="comments")
    op.drop_index(op.f("ix_comments_author_id"), table_name="comments")
    op.drop_table("comments")
    op.drop_index(op.f("ix_maps_created_by"), table_name="maps")
    op.drop_table("maps")
    op.drop_index(
        "ix_layers_open",
        table_name="layers",
        postgresql_where=sa.text("is_global OR visibility = 'public'"),
    )
    op.drop_index(op.f("ix_layers_created_by"), table_name="layers")
    op.drop_index("ix_layers_created_at_id", table_name="layers")
    op.drop_table("layers")
    op.drop_index(op.f("ix_api_tokens_user_id"), table_name="api_tokens")
    op.drop_table("api_tokens")
    op.drop_table("webhook_events")
    op.drop_index(
        "uq_users_email_live", table_name="users", postgresql_where=sa.text("deleted_at IS NULL")
    )
    op.drop_table("users")
    op.drop_index(
        "ix_layer_features_layer_id_geom", table_name="layer_features", postgresql_using="gist"
    )
    op.drop_table("layer_features")
    for function in (
        "keep_updated_at",
        "keep_feature_version",
        "count_inserted_features",
        "count_updated_features",
        "count_deleted_features",
        "count_truncated_features",
        "delete_layer_features",
        "fold_layer_changes",
        "layer_bounds",
    ):
        op.execute(f"DROP FUNCTION {function} CASCADE")
