-- What a comment is about, compared with what is there now. `state` is `current`, `changed` or `gone`;
-- of a feature also its id, the number and the beginning of the version that the comment is about, and
-- `with_difference` how the present one differs: ten attributes at most, with values of at most 200
-- bytes. A feature that is as it was again is `current`. A function, so that each table is read for
-- itself: features may be on another server than comments.
CREATE FUNCTION comment_target(
    of_layer uuid, of_feature bigint, of_change bigint, with_difference boolean
) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    present record;
    former record;
    is_there boolean;
    is_known boolean := true;
    is_moved boolean;
    is_same boolean;
    target jsonb;
    attributes jsonb;
    others bigint := 1;
BEGIN
    IF of_feature IS NULL THEN
        RETURN jsonb_build_object('state', CASE
            WHEN of_layer IS NULL OR EXISTS (SELECT FROM layers WHERE id = of_layer)
            THEN 'current' ELSE 'gone' END);
    END IF;
    SELECT version, coalesce(change_set, 0) AS change, updated_at, geom, properties INTO present
    FROM layer_features WHERE layer_id = of_layer AND id = of_feature;
    is_there := FOUND;
    target := jsonb_build_object('feature', of_feature,
        'state', CASE WHEN is_there THEN 'current' ELSE 'gone' END);
    IF of_change IS NULL THEN
        RETURN target;
    END IF;
    is_same := is_there AND present.change = of_change;
    IF is_same THEN
        former := present;
    ELSE
        -- the next one, but where a transaction has replaced what a later one had made; by the
        -- feature's key, never by the index of change sets: one may have made many features
        SELECT version, from_change AS change, updated_at, geom, properties INTO former
        FROM feature_versions
        WHERE layer_id = of_layer AND feature_id = of_feature AND from_change + 0 = of_change
            AND to_change > of_change
        ORDER BY to_change LIMIT 1;
        IF NOT FOUND THEN
            SELECT version, from_change AS change, updated_at, geom, properties INTO former
            FROM feature_versions
            WHERE layer_id = of_layer AND feature_id = of_feature AND from_change + 0 = of_change
                AND to_change < of_change
            ORDER BY to_change DESC LIMIT 1;
            is_known := FOUND;
        END IF;
    END IF;
    IF NOT is_known THEN  -- it has been removed from the history
        RETURN target || CASE WHEN is_there THEN '{"state": "changed"}' ELSE '{}' END::jsonb;
    END IF;
    target := target || jsonb_build_object('version', former.version, 'began', coalesce((
        SELECT committed_at FROM layer_change_sets
        WHERE layer_id = of_layer AND change_set_id = of_change), former.updated_at));
    IF is_same OR NOT is_there THEN
        RETURN target;
    END IF;
    is_moved := NOT ROW(present.geom)::record *= ROW(former.geom)::record;
    IF NOT is_moved AND ROW(present.properties)::record *= ROW(former.properties)::record THEN
        RETURN target;
    END IF;
    target := target || '{"state": "changed"}';
    IF NOT with_difference THEN
        RETURN target;
    END IF;
    IF pg_column_size(present.properties) + pg_column_size(former.properties) <= 65536 THEN
        SELECT jsonb_object_agg(name, jsonb_build_object('former', was, 'present', is_now))
                FILTER (WHERE fits), count(*) FILTER (WHERE NOT fits)
        INTO attributes, others
        FROM (
            SELECT name, was, is_now,
                row_number() OVER (ORDER BY name COLLATE "C") <= 10 AND octet_length(name) <= 200
                AND coalesce(octet_length(was::text), 0) <= 200
                AND coalesce(octet_length(is_now::text), 0) <= 200 AS fits
            FROM jsonb_each(former.properties) AS before (name, was)
            FULL JOIN jsonb_each(present.properties) AS now (name, is_now) USING (name)
            WHERE was::text IS DISTINCT FROM is_now::text
        ) AS compared;
    END IF;
    RETURN target || jsonb_build_object('difference', jsonb_build_object(
        'geometry', is_moved, 'properties', coalesce(attributes, '{}'), 'is_complete', others = 0));
END $$;

-- A point of the feature that a comment is on, of the version that it is about where the feature is
-- gone; null where neither has a geometry. Of a large one it is the middle of its box.
CREATE FUNCTION comment_point(of_layer uuid, of_feature bigint, of_change bigint)
RETURNS geometry LANGUAGE plpgsql STABLE AS $$
DECLARE
    shape geometry;
BEGIN
    SELECT geom INTO shape FROM layer_features WHERE layer_id = of_layer AND id = of_feature;
    IF NOT FOUND THEN
        SELECT geom INTO shape FROM feature_versions
        WHERE layer_id = of_layer AND feature_id = of_feature AND from_change + 0 = of_change
        ORDER BY to_change LIMIT 1;
    END IF;
    IF shape IS NULL OR ST_IsEmpty(shape) THEN
        RETURN NULL;
    END IF;
    IF pg_column_size(shape) > 262144 THEN
        RETURN ST_Centroid(ST_Envelope(shape));
    END IF;
    RETURN ST_PointOnSurface(ST_Force2D(shape));
END $$;

-- Arguments: what the row is, its members whose values are kept, those of which only the names are.
-- A change of other members is none. What is deleted with its map is told by the deletion of that. A
-- comment outlives its layer.
CREATE OR REPLACE FUNCTION record_subject_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    former jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    present jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    subject jsonb := coalesce(present, former);
    kind text := TG_ARGV[0];
    of_map uuid := subject ->> CASE kind WHEN 'map' THEN 'id' ELSE 'map_id' END;
    of_layer uuid := subject ->> CASE kind WHEN 'layer' THEN 'id' ELSE 'layer_id' END;
    kept text[] := string_to_array(TG_ARGV[1], ',');
    changed text[];
    details jsonb := '{}';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        changed := ARRAY(
            SELECT name FROM unnest(kept || string_to_array(TG_ARGV[2], ',')) AS name
            WHERE former -> name IS DISTINCT FROM present -> name);
        IF changed = '{}' THEN
            RETURN NULL;
        END IF;
        details := jsonb_build_object('changed', changed);
        kept := ARRAY(SELECT unnest(kept) INTERSECT SELECT unnest(changed));
    ELSIF TG_OP = 'DELETE' AND (
        kind IN ('map_layer', 'collaborator', 'comment') AND of_map IS NOT NULL
            AND NOT EXISTS (SELECT FROM maps WHERE id = of_map)
    ) THEN
        RETURN NULL;
    END IF;
    IF former IS NOT NULL AND kept <> '{}' THEN
        details := details || jsonb_build_object('old', (
            SELECT jsonb_object_agg(name, former -> name) FROM unnest(kept) AS name));
    END IF;
    IF present IS NOT NULL AND kept <> '{}' THEN
        details := details || jsonb_build_object('new', (
            SELECT jsonb_object_agg(name, present -> name) FROM unnest(kept) AS name));
    END IF;
    INSERT INTO subject_changes
        (change_set_id, kind, action, subject_id, map_id, layer_id, details)
    VALUES (current_change_set(), kind,
        CASE TG_OP WHEN 'INSERT' THEN 'create' ELSE lower(TG_OP) END,
        (subject ->> 'id')::uuid, of_map, of_layer, details);
    RETURN NULL;
END $$;
