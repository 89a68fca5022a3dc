-- Not now(), when the transaction began: the row may have been changed since by a later one.
CREATE FUNCTION keep_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'users', 'maps', 'map_collaborators', 'layers', 'map_layers', 'comments', 'api_tokens'
    ] LOOP
        EXECUTE format(
            'CREATE TRIGGER keep_updated_at BEFORE UPDATE ON %I'
            ' FOR EACH ROW EXECUTE FUNCTION keep_updated_at()', name);
    END LOOP;
END $$;

-- A feature never changes its key; every change of it is a new version.
CREATE FUNCTION keep_feature_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.layer_id, NEW.id) IS DISTINCT FROM (OLD.layer_id, OLD.id) THEN
        RAISE integrity_constraint_violation
            USING MESSAGE = 'a feature keeps its layer and its id';
    END IF;
    NEW.version := OLD.version + 1;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;

CREATE TRIGGER keep_feature_version BEFORE UPDATE ON layer_features
    FOR EACH ROW EXECUTE FUNCTION keep_feature_version();

-- Adds up a layer's rows once there are many. Rows that another transaction is folding are
-- skipped, so that nobody waits; rows not yet committed are not seen, so that nothing is lost.
-- One statement in eight looks: while a long transaction holds many rows, every statement would
-- find too many and fold its own row alone.
CREATE FUNCTION fold_layer_changes(layer uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF random() < 0.125 AND (SELECT count(*) FROM (
            SELECT FROM layer_changes WHERE layer_id = layer LIMIT 65) AS few) > 64 THEN
        WITH folded AS (
            DELETE FROM layer_changes
            WHERE layer_id = layer AND id IN (
                SELECT id FROM layer_changes WHERE layer_id = layer FOR UPDATE SKIP LOCKED)
            RETURNING feature_count, changes
        )
        INSERT INTO layer_changes (layer_id, feature_count, changes)
        SELECT layer, sum(feature_count), sum(changes) FROM folded HAVING count(*) > 0;
    END IF;
END $$;

CREATE FUNCTION count_inserted_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    layer uuid;
BEGIN
    FOR layer IN
        INSERT INTO layer_changes (layer_id, feature_count, changes)
        SELECT layer_id, count(*), 1 FROM inserted GROUP BY layer_id
        RETURNING layer_id
    LOOP
        PERFORM fold_layer_changes(layer);
    END LOOP;
    RETURN NULL;
END $$;

CREATE FUNCTION count_updated_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    layer uuid;
BEGIN
    FOR layer IN
        INSERT INTO layer_changes (layer_id, feature_count, changes)
        SELECT DISTINCT layer_id, 0, 1 FROM updated
        RETURNING layer_id
    LOOP
        PERFORM fold_layer_changes(layer);
    END LOOP;
    RETURN NULL;
END $$;

CREATE FUNCTION count_deleted_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    layer uuid;
BEGIN
    FOR layer IN
        INSERT INTO layer_changes (layer_id, feature_count, changes)
        SELECT layer_id, -count(*), 1 FROM deleted GROUP BY layer_id
        RETURNING layer_id
    LOOP
        PERFORM fold_layer_changes(layer);
    END LOOP;
    RETURN NULL;
END $$;

CREATE FUNCTION count_truncated_features() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO layer_changes (layer_id, feature_count, changes)
    SELECT layer_id, -sum(feature_count), 1 FROM layer_changes GROUP BY layer_id;
    RETURN NULL;
END $$;

CREATE TRIGGER count_inserted_features AFTER INSERT ON layer_features
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION count_inserted_features();
CREATE TRIGGER count_updated_features AFTER UPDATE ON layer_features
    REFERENCING NEW TABLE AS updated
    FOR EACH STATEMENT EXECUTE FUNCTION count_updated_features();
CREATE TRIGGER count_deleted_features AFTER DELETE ON layer_features
    REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION count_deleted_features();
CREATE TRIGGER count_truncated_features AFTER TRUNCATE ON layer_features
    FOR EACH STATEMENT EXECUTE FUNCTION count_truncated_features();

-- Before, not after: the row is locked by then, which waits for writers that hold it through
-- layer_changes, and the changes counted here still have a layer to refer to.
CREATE FUNCTION delete_layer_features() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM layer_features WHERE layer_id = OLD.id;
    RETURN OLD;
END $$;

CREATE TRIGGER delete_layer_features BEFORE DELETE ON layers
    FOR EACH ROW EXECUTE FUNCTION delete_layer_features();

-- A layer's extent [west, south, east, north] in degrees, nulls where nothing has a place: the
-- features nearest to four lines far outside, which the spatial index finds without a scan. The
-- index keeps single precision, so the exact edge decides among those equally near. Not `<->`: it
-- is wrong about geometries with empty parts. Sorting is off because the planner would read and
-- sort the whole of a layer that is younger than the table's statistics.
CREATE FUNCTION layer_bounds(layer uuid) RETURNS double precision[]
    LANGUAGE plpgsql STABLE COST 1000 SET enable_sort = off AS $$
BEGIN
    RETURN ARRAY[
        (SELECT ST_XMin(geom) FROM (
            SELECT geom, geom <#> 'SRID=4326;LINESTRING(-1000 -1000, -1000 1000)'::geometry AS distance
            FROM layer_features
            WHERE layer_id = layer AND geom IS NOT NULL AND NOT ST_IsEmpty(geom)
            ORDER BY distance) AS nearest
         ORDER BY distance, ST_XMin(geom) LIMIT 1),
        (SELECT ST_YMin(geom) FROM (
            SELECT geom, geom <#> 'SRID=4326;LINESTRING(-1000 -1000, 1000 -1000)'::geometry AS distance
            FROM layer_features
            WHERE layer_id = layer AND geom IS NOT NULL AND NOT ST_IsEmpty(geom)
            ORDER BY distance) AS nearest
         ORDER BY distance, ST_YMin(geom) LIMIT 1),
        (SELECT ST_XMax(geom) FROM (
            SELECT geom, geom <#> 'SRID=4326;LINESTRING(1000 -1000, 1000 1000)'::geometry AS distance
            FROM layer_features
            WHERE layer_id = layer AND geom IS NOT NULL AND NOT ST_IsEmpty(geom)
            ORDER BY distance) AS nearest
         ORDER BY distance, ST_XMax(geom) DESC LIMIT 1),
        (SELECT ST_YMax(geom) FROM (
            SELECT geom, geom <#> 'SRID=4326;LINESTRING(-1000 1000, 1000 1000)'::geometry AS distance
            FROM layer_features
            WHERE layer_id = layer AND geom IS NOT NULL AND NOT ST_IsEmpty(geom)
            ORDER BY distance) AS nearest
         ORDER BY distance, ST_YMax(geom) DESC LIMIT 1)];
END $$;

-- By default statistics wait for a tenth of the table to change, which may be a layer of millions.
ALTER TABLE layer_features SET (autovacuum_analyze_scale_factor = 0.01);
