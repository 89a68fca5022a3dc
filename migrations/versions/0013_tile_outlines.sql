-- A shape of many vertices as it is drawn in an area, simplified to a tolerance.
--
-- What takes quadratic time is left out: to clip a polygon whose edges cross those of the area
-- often, and to simplify by ST_Simplify what has hardly a vertex near the line between others, as
-- the points of a star. There, where edges are longer than the tolerance, vertices are rounded to
-- it; those beyond one side of the area, and edges that go back and forth, are kept once.
CREATE FUNCTION public.tile_outline(shape public.geometry, area public.box2d, tolerance float8)
RETURNS public.geometry
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = public
AS $$
DECLARE
    edges geometry := CASE ST_Dimension(shape) WHEN 2 THEN ST_Boundary(shape) ELSE shape END;
    positions bigint;
BEGIN
    IF GeometryType(shape) = 'GEOMETRYCOLLECTION' THEN
        RETURN ST_SnapToGrid(shape, tolerance);
    END IF;
    IF ST_NumGeometries(ST_ClipByBox2D(edges, area)) <= 2000 THEN
        shape := ST_ClipByBox2D(shape, area);
    END IF;
    positions := ST_NPoints(shape);
    IF positions <= 20000 OR ST_Length(shape) + ST_Perimeter(shape) <= positions * tolerance THEN
        RETURN ST_Simplify(shape, tolerance, true);
    END IF;
    RETURN (
        WITH points AS MATERIALIZED (
            SELECT path[:cardinality(path) - 1] AS line, path[cardinality(path)] AS number,
                   geom AS point, ST_X(geom) AS x, ST_Y(geom) AS y
            FROM ST_DumpPoints(ST_SnapToGrid(ST_Force2D(shape), tolerance))
        ), sided_points AS (
            SELECT *, CASE
                WHEN x > ST_XMax(area) THEN 1 WHEN x < ST_XMin(area) THEN 2
                WHEN y > ST_YMax(area) THEN 3 WHEN y < ST_YMin(area) THEN 4 ELSE 0 END AS side
            FROM points
        ), inner_points AS (
            SELECT line, number, point, x, y
            FROM (
                SELECT *, lag(side) OVER line AS before, lead(side) OVER line AS after
                FROM sided_points
                WINDOW line AS (PARTITION BY line ORDER BY number)
            ) AS neighbours
            WHERE side = 0 OR side IS DISTINCT FROM before OR side IS DISTINCT FROM after
        ), compared AS (
            SELECT line, number, point, lead(number) OVER line IS NULL
                OR lag(number, 3) OVER line IS NULL
                OR x <> lag(x, 2) OVER line OR y <> lag(y, 2) OVER line
                OR lag(x) OVER line <> lag(x, 3) OVER line
                OR lag(y) OVER line <> lag(y, 3) OVER line AS is_kept
            FROM inner_points
            WINDOW line AS (PARTITION BY line ORDER BY number)
        ), lines AS (
            SELECT line, ST_MakeLine(point ORDER BY number) AS geom, count(*) AS size
            FROM compared WHERE is_kept GROUP BY line
        )
        SELECT CASE ST_Dimension(shape)
            WHEN 1 THEN (SELECT ST_Collect(geom) FROM lines WHERE size > 1)
            WHEN 2 THEN (
                SELECT ST_Collect(polygon)
                FROM (
                    SELECT ST_MakePolygon(
                        (array_agg(geom ORDER BY line))[1], (array_agg(geom ORDER BY line))[2:]
                    ) AS polygon
                    FROM lines
                    WHERE size > 3
                    GROUP BY line[:cardinality(line) - 1]
                ) AS polygons
            )
            ELSE ST_SnapToGrid(shape, tolerance) END
    );
END
$$;
