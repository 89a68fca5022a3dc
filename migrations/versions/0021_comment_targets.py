"""Comments know which version of a feature they are about, areas, and whom they mention."""

import re
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

FUNCTIONS = Path(__file__).with_suffix(".sql")
_FORMER = Path(__file__).with_name("0017_history.sql")

# Of comments from before: the last version that had begun by then, as far as that is known.
_NOTE_VERSIONS = """
UPDATE comments SET feature_change = (
    SELECT change FROM (
        SELECT coalesce(change_set, 0) AS change, updated_at FROM layer_features
        WHERE layer_features.layer_id = comments.layer_id
            AND layer_features.id = comments.feature_id
        UNION ALL
        SELECT from_change, updated_at FROM feature_versions
        WHERE feature_versions.layer_id = comments.layer_id
            AND feature_versions.feature_id = comments.feature_id
    ) AS versions
    LEFT JOIN layer_change_sets
        ON layer_change_sets.layer_id = comments.layer_id AND change_set_id = change
    WHERE coalesce(committed_at, versions.updated_at) <= comments.created_at
    ORDER BY coalesce(committed_at, versions.updated_at) DESC LIMIT 1
)
WHERE feature_id IS NOT NULL"""


def upgrade() -> None:
    # it is a table of what people have written, which is soon written anew
    op.add_column("comments", sa.Column("number", sa.BigInteger(), sa.Identity(), nullable=False))
    op.add_column("comments", sa.Column("feature_change", sa.BigInteger(), nullable=True))
    op.add_column(
        "comments",
        sa.Column("area", Geometry("GEOMETRY", srid=4326, spatial_index=False), nullable=True),
    )
    op.create_unique_constraint(op.f("uq_comments_number"), "comments", ["number"])
    op.create_check_constraint(
        op.f("ck_comments_area"),
        "comments",
        "area IS NULL OR (GeometryType(area) IN ('POLYGON', 'MULTIPOLYGON') AND position IS NULL)",
    )
    op.create_check_constraint(
        op.f("ck_comments_feature_change"),
        "comments",
        "feature_change IS NULL OR feature_id IS NOT NULL",
    )
    op.drop_constraint(op.f("fk_comments_layer_id"), "comments", type_="foreignkey")
    op.create_table(
        "comment_mentions",
        sa.Column("comment_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["comment_id"],
            ["comments.id"],
            name=op.f("fk_comment_mentions_comment_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_comment_mentions_user_id")
        ),
        sa.PrimaryKeyConstraint("comment_id", "user_id", name=op.f("pk_comment_mentions")),
    )
    op.create_index(op.f("ix_comment_mentions_user_id"), "comment_mentions", ["user_id"])
    op.get_bind().exec_driver_sql(FUNCTIONS.read_text().replace("%", "%%"))
    # nobody has changed a comment
    op.execute("ALTER TABLE comments DISABLE TRIGGER USER")
    op.execute(_NOTE_VERSIONS)
    op.execute("ALTER TABLE comments ENABLE TRIGGER USER")


def downgrade() -> None:
    op.execute("DROP FUNCTION comment_target(uuid, bigint, bigint, boolean)")
    op.execute("DROP FUNCTION comment_point(uuid, bigint, bigint)")
    found = re.search(
        r"^CREATE (FUNCTION record_subject_change\(.*?^END \$\$;)",
        _FORMER.read_text(),
        re.DOTALL | re.MULTILINE,
    )
    if found is None:
        raise LookupError("record_subject_change")
    op.get_bind().exec_driver_sql(f"CREATE OR REPLACE {found[1]}".replace("%", "%%"))
    op.drop_table("comment_mentions")
    op.execute(
        "DELETE FROM comments WHERE layer_id IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM layers WHERE layers.id = comments.layer_id)"
    )
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.drop_column("comments", "area")
    op.drop_column("comments", "feature_change")
    op.drop_column("comments", "number")
    op.create_foreign_key(
        op.f("fk_comments_layer_id"),
        "comments",
        "layers",
        ["layer_id"],
        ["id"],
        ondelete="CASCADE",
    )
