"""Exterior rings of stored polygons are counter-clockwise (RFC 7946), as those written from now on.

The shapes are the same: neither versions nor times of features change.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# ST_ForcePolygonCCW reverses lines too: those of a collection are left out, member by member
ORIENTED_RINGS = """
CREATE FUNCTION oriented_rings(shape geometry) RETURNS geometry
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
SELECT CASE
    WHEN ST_IsPolygonCCW(shape) THEN shape
    WHEN GeometryType(shape) <> 'GEOMETRYCOLLECTION' THEN ST_ForcePolygonCCW(shape)
    ELSE ST_ForceCollection(ST_Collect(ARRAY(
        SELECT CASE WHEN ST_IsPolygonCCW(member) THEN member ELSE ST_ForcePolygonCCW(member) END
        FROM generate_series(1, ST_NumGeometries(shape)) AS number
        CROSS JOIN LATERAL (SELECT ST_GeometryN(shape, number) AS member) AS members
        ORDER BY number
    )))
END
$$"""


def upgrade() -> None:
    op.execute(ORIENTED_RINGS)
    op.execute("ALTER TABLE layer_features DISABLE TRIGGER USER")
    op.execute(
        "UPDATE layer_features SET geom = oriented_rings(geom) WHERE NOT ST_IsPolygonCCW(geom)"
    )
    op.execute("ALTER TABLE layer_features ENABLE TRIGGER USER")


def downgrade() -> None:
    """Leave the rings as they are: the release before reads them in any direction."""
    op.execute("DROP FUNCTION oriented_rings(geometry)")
