"""The extent of a layer, which may cross the antimeridian."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# As layer_bounds, whose comment tells how. Around the world the other way goes who leaves the prime
# meridian out: from the first feature east of it to the last one west of it. A feature on both
# sides of it counts by its parts; these are read where they are few.
LAYER_EXTENT = """
CREATE FUNCTION layer_extent(layer uuid) RETURNS double precision[]
    LANGUAGE plpgsql STABLE COST 1000 SET enable_sort = off AS $$
DECLARE
    meridian CONSTANT geometry := 'SRID=4326;LINESTRING(0 -1000, 0 1000)';
    edges double precision[] := layer_bounds(layer);
    west double precision;
    east double precision;
    is_readable boolean;
    is_crossed boolean;
    first double precision;
    last double precision;
BEGIN
    IF edges[1] IS NULL OR edges[3] - edges[1] <= 180 THEN
        RETURN edges;
    END IF;
    -- with features within 18 degrees on either side no gap is large enough to gain a tenth
    -- (not EXISTS, which would ignore the order, and with it the index)
    IF (
        SELECT true FROM layer_features
        WHERE layer_id = layer AND geom >> meridian
        AND geom && 'SRID=4326;LINESTRING(0 -1000, 18 1000)'::geometry
        ORDER BY geom <#> 'SRID=4326;POINT(9 0)'::geometry LIMIT 1
    ) AND (
        SELECT true FROM layer_features
        WHERE layer_id = layer AND geom << meridian
        AND geom && 'SRID=4326;LINESTRING(-18 -1000, 0 1000)'::geometry
        ORDER BY geom <#> 'SRID=4326;POINT(-9 0)'::geometry LIMIT 1
    ) THEN
        RETURN edges;
    END IF;
    SELECT count(*) <= 32 AND coalesce(sum(pg_column_size(geom)), 0) <= 1048576 INTO is_readable
    FROM (
        SELECT geom FROM layer_features WHERE layer_id = layer AND geom && meridian
        ORDER BY geom <#> meridian LIMIT 33
    ) AS across;
    IF NOT is_readable THEN
        RETURN edges;
    END IF;
    SELECT bool_or(ST_XMin(part.geom) < 0 AND ST_XMax(part.geom) > 0),
           min(ST_XMin(part.geom)) FILTER (WHERE ST_XMin(part.geom) >= 0),
           max(ST_XMax(part.geom)) FILTER (WHERE ST_XMax(part.geom) <= 0)
    INTO is_crossed, first, last
    FROM (
        SELECT geom FROM layer_features WHERE layer_id = layer AND geom && meridian
        ORDER BY geom <#> meridian LIMIT 33
    ) AS across
    CROSS JOIN LATERAL ST_Dump(across.geom) AS part;
    IF is_crossed THEN
        RETURN edges;
    END IF;
    west := least(first, (
        SELECT ST_XMin(geom) FROM (
            SELECT geom, geom <#> meridian AS distance FROM layer_features
            WHERE layer_id = layer AND geom >> meridian AND NOT ST_IsEmpty(geom)
            ORDER BY distance) AS nearest
        ORDER BY distance, ST_XMin(geom) LIMIT 1));
    east := greatest(last, (
        SELECT ST_XMax(geom) FROM (
            SELECT geom, geom <#> meridian AS distance FROM layer_features
            WHERE layer_id = layer AND geom << meridian AND NOT ST_IsEmpty(geom)
            ORDER BY distance) AS nearest
        ORDER BY distance, ST_XMax(geom) DESC LIMIT 1));
    -- in a layer all around the world a small gap is none
    IF 360 - (west - east) < 0.9 * (edges[3] - edges[1]) THEN
        RETURN ARRAY[west, edges[2], east, edges[4]];
    END IF;
    RETURN edges;
END $$"""


def upgrade() -> None:
    op.execute(LAYER_EXTENT)


def downgrade() -> None:
    op.execute("DROP FUNCTION layer_extent(uuid)")
