-- Of what was before nobody knows.
INSERT INTO change_sets (via, message) VALUES ('command', 'History begins.');

-- The number of the transaction's change set, which the first change makes. Settings of the
-- transaction hold what is known of it: a rollback to a savepoint takes that back as well.
CREATE FUNCTION current_change_set() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    made bigint := nullif(current_setting('samsyn.change_set', true), '');
    origin jsonb;
    told text;
BEGIN
    IF made IS NULL THEN
        origin := nullif(current_setting('samsyn.origin', true), '');
        told := set_config('samsyn.change_set', 'new', true);
        INSERT INTO change_sets (user_id, via, request_id, message)
        VALUES ((origin ->> 'user_id')::uuid, coalesce(origin ->> 'via', 'database'),
            origin ->> 'request_id', origin ->> 'message')
        RETURNING id INTO made;
        told := set_config('samsyn.change_set', made::text, true);
    END IF;
    RETURN made;
END $$;

-- Adds to how many features of a layer the transaction has inserted, updated and deleted. In a
-- setting, not in a row: a row would have a dead version for every statement.
CREATE FUNCTION note_changed_features(layer uuid, inserted bigint, updated bigint, deleted bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    noted jsonb := nullif(current_setting('samsyn.changed_layers', true), '');
    former jsonb := noted -> layer::text;
    told text;
BEGIN
    IF former IS NOT NULL THEN
        inserted := inserted + (former ->> 0)::bigint;
        updated := updated + (former ->> 1)::bigint;
        deleted := deleted + (former ->> 2)::bigint;
    END IF;
    noted := coalesce(noted, '{}') || jsonb_build_object(layer,
        jsonb_build_array(inserted, updated, deleted));
    told := set_config('samsyn.changed_layers', noted::text, true);
END $$;

-- At the end of the transaction. The locks are held until its changes are seen by others, so that
-- the times of a layer's change sets are in the order of their commits, without a writer waiting for
-- another one while it works; every statement after them sees what was committed before. All layers
-- of the transaction have one time. By the indexes, also of tables whose statistics are older than
-- the layer.
CREATE FUNCTION commit_change_set() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_sort = off AS $$
DECLARE
    noted jsonb := nullif(current_setting('samsyn.changed_layers', true), '');
    sees_all boolean := current_setting('transaction_isolation') = 'read committed';
    layers uuid[];
    layer uuid;
    counts jsonb;
    moment timestamptz;
    last_time timestamptz;
    last_change bigint;
    last_changes bigint[];
    last_count bigint;
    last_counts bigint[];
    told text;
BEGIN
    -- after SET CONSTRAINTS ALL IMMEDIATE this is called as soon as the row is inserted
    IF current_setting('samsyn.change_set', true) = 'new' THEN
        SET CONSTRAINTS commit_change_set DEFERRED;
        DELETE FROM change_sets WHERE id = NEW.id;
        INSERT INTO change_sets SELECT NEW.*;
        RETURN NULL;
    END IF;
    -- what a statement after SET CONSTRAINTS changes is another change set
    told := set_config('samsyn.change_set', '', true)
        || set_config('samsyn.changed_layers', '', true);
    IF noted IS NULL THEN
        IF NOT EXISTS (SELECT FROM subject_changes WHERE change_set_id = NEW.id) THEN
            DELETE FROM change_sets WHERE id = NEW.id;
        END IF;
        RETURN NULL;
    END IF;
    layers := ARRAY(SELECT key::uuid FROM jsonb_object_keys(noted) AS key ORDER BY 1);
    FOREACH layer IN ARRAY layers LOOP
        told := pg_advisory_xact_lock(uuid_hash_extended(layer, 0))::text;
    END LOOP;
    moment := clock_timestamp();
    FOREACH layer IN ARRAY layers LOOP
        SELECT committed_at, latest, feature_count INTO last_time, last_change, last_count
        FROM layer_change_sets WHERE layer_id = layer ORDER BY committed_at DESC LIMIT 1;
        moment := greatest(moment, last_time + interval '1 microsecond');
        last_changes := last_changes || last_change;
        last_counts := last_counts || last_count;
    END LOOP;
    FOR number IN 1 .. cardinality(layers) LOOP
        layer := layers[number];
        last_change := last_changes[number];
        last_count := last_counts[number];
        counts := noted -> layer::text;
        IF last_count IS NULL THEN
            SELECT sum(feature_count) INTO last_count FROM layer_changes WHERE layer_id = layer;
        ELSE
            last_count := last_count + (counts ->> 0)::bigint - (counts ->> 2)::bigint;
        END IF;
        INSERT INTO layer_change_sets (layer_id, change_set_id, inserted, updated, deleted,
            committed_at, latest, overtaken_at, feature_count, first_id, last_id)
        VALUES (layer, NEW.id, (counts ->> 0)::bigint, (counts ->> 1)::bigint,
            (counts ->> 2)::bigint, moment, greatest(last_change, NEW.id),
            CASE WHEN last_change > NEW.id THEN (
                SELECT min(committed_at) FROM layer_change_sets
                WHERE layer_id = layer AND change_set_id > NEW.id) END,
            CASE WHEN sees_all THEN coalesce(last_count, 0) END,
            CASE WHEN sees_all THEN (
                SELECT id FROM layer_features WHERE layer_id = layer ORDER BY id LIMIT 1) END,
            CASE WHEN sees_all THEN (
                SELECT id FROM layer_features WHERE layer_id = layer ORDER BY id DESC LIMIT 1) END);
    END LOOP;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER commit_change_set AFTER INSERT ON change_sets
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION commit_change_set();

-- Before: the rows take the number of the change set by the default of their column, which costs
-- COPY less than a trigger a row.
CREATE FUNCTION begin_change_set() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    made bigint := current_change_set();
BEGIN
    RETURN NULL;
END $$;

CREATE TRIGGER begin_change_set BEFORE INSERT ON layer_features
    FOR EACH STATEMENT EXECUTE FUNCTION begin_change_set();

-- A feature never changes its key; every change of it is a new version, and an update that changes
-- neither its geometry nor its properties, to the last bit, is none.
CREATE OR REPLACE FUNCTION keep_feature_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.layer_id, NEW.id) IS DISTINCT FROM (OLD.layer_id, OLD.id) THEN
        RAISE integrity_constraint_violation
            USING MESSAGE = 'a feature keeps its layer and its id';
    END IF;
    IF ROW(NEW.geom, NEW.properties)::record *= ROW(OLD.geom, OLD.properties)::record THEN
        RETURN NULL;
    END IF;
    NEW.version := OLD.version + 1;
    NEW.updated_at := clock_timestamp();
    NEW.change_set := coalesce(
        nullif(current_setting('samsyn.change_set', true), ''), current_change_set()::text);
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION count_inserted_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    layer uuid;
    number bigint;
BEGIN
    FOR layer, number IN
        INSERT INTO layer_changes (layer_id, feature_count, changes)
        SELECT layer_id, count(*), 1 FROM inserted GROUP BY layer_id
        RETURNING layer_id, feature_count
    LOOP
        PERFORM fold_layer_changes(layer), note_changed_features(layer, number, 0, 0);
    END LOOP;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION count_updated_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    layer uuid;
    number bigint;
BEGIN
    FOR layer, number IN SELECT layer_id, count(*) FROM updated GROUP BY layer_id LOOP
        INSERT INTO layer_changes (layer_id, feature_count, changes) VALUES (layer, 0, 1);
        PERFORM fold_layer_changes(layer), note_changed_features(layer, 0, number, 0);
    END LOOP;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION count_deleted_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    layer uuid;
    number bigint;
BEGIN
    FOR layer, number IN
        INSERT INTO layer_changes (layer_id, feature_count, changes)
        SELECT layer_id, -count(*), 1 FROM deleted GROUP BY layer_id
        RETURNING layer_id, -feature_count
    LOOP
        PERFORM fold_layer_changes(layer), current_change_set(),
            note_changed_features(layer, 0, 0, number);
    END LOOP;
    RETURN NULL;
END $$;

-- What a transaction has made itself was never there for anybody else, and is not kept.
CREATE FUNCTION keep_updated_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    present bigint := nullif(current_setting('samsyn.change_set', true), '');
BEGIN
    INSERT INTO feature_versions (layer_id, feature_id, to_change, from_change, was_deleted,
        version, geom, properties, created_by, updated_by, created_at, updated_at)
    SELECT layer_id, id, present, coalesce(change_set, 0), false,
        version, geom, properties, created_by, updated_by, created_at, updated_at
    FROM former WHERE change_set IS DISTINCT FROM present;
    RETURN NULL;
END $$;

-- Of a feature that the transaction has updated before, what others knew is kept already.
CREATE FUNCTION keep_deleted_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    present bigint := nullif(current_setting('samsyn.change_set', true), '');
    layer uuid;
BEGIN
    INSERT INTO feature_versions (layer_id, feature_id, to_change, from_change, was_deleted,
        version, geom, properties, created_by, updated_by, created_at, updated_at)
    SELECT layer_id, id, present, coalesce(change_set, 0), true,
        version, geom, properties, created_by, updated_by, created_at, updated_at
    FROM deleted WHERE change_set IS DISTINCT FROM present;
    FOR layer IN SELECT DISTINCT layer_id FROM deleted WHERE change_set = present LOOP
        UPDATE feature_versions SET was_deleted = true
        WHERE layer_id = layer AND to_change = present AND feature_id = ANY (ARRAY(
            SELECT id FROM deleted WHERE layer_id = layer AND change_set = present));
    END LOOP;
    RETURN NULL;
END $$;

CREATE FUNCTION keep_truncated_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    present bigint := current_change_set();
BEGIN
    UPDATE feature_versions SET was_deleted = true WHERE to_change = present;
    INSERT INTO feature_versions (layer_id, feature_id, to_change, from_change, was_deleted,
        version, geom, properties, created_by, updated_by, created_at, updated_at)
    SELECT layer_id, id, present, coalesce(change_set, 0), true,
        version, geom, properties, created_by, updated_by, created_at, updated_at
    FROM layer_features WHERE change_set IS DISTINCT FROM present;
    PERFORM note_changed_features(layer_id, 0, 0, number)
    FROM (SELECT layer_id, count(*) AS number FROM layer_features GROUP BY layer_id) AS truncated;
    RETURN NULL;
END $$;

-- Their names put them behind those that count: by then the transaction holds the layer's key.
CREATE TRIGGER keep_updated_features AFTER UPDATE ON layer_features
    REFERENCING OLD TABLE AS former
    FOR EACH STATEMENT EXECUTE FUNCTION keep_updated_features();
CREATE TRIGGER keep_deleted_features AFTER DELETE ON layer_features
    REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION keep_deleted_features();
CREATE TRIGGER keep_truncated_features BEFORE TRUNCATE ON layer_features
    FOR EACH STATEMENT EXECUTE FUNCTION keep_truncated_features();

CREATE OR REPLACE FUNCTION delete_layer_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    number bigint := sum(feature_count) FROM layer_changes WHERE layer_id = OLD.id;
BEGIN
    DELETE FROM layer_features WHERE layer_id = OLD.id;
    INSERT INTO deleted_layers (id, created_by, definition, feature_count, data_version,
        change_set_id, deleted_at)
    SELECT OLD.id, OLD.created_by, to_jsonb(OLD), coalesce(number, 0), coalesce(sum(changes), 0),
        current_change_set(), clock_timestamp()
    FROM layer_changes WHERE layer_id = OLD.id;
    RETURN OLD;
END $$;

-- Arguments: what the row is, its members whose values are kept, those of which only the names are.
-- A change of other members is none. What is deleted with its map, or a comment with its layer, is
-- told by the deletion of that.
CREATE FUNCTION record_subject_change() RETURNS trigger LANGUAGE plpgsql AS $$
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
        OR kind = 'comment' AND of_layer IS NOT NULL
            AND NOT EXISTS (SELECT FROM layers WHERE id = of_layer)
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

-- One change of the map, however many of its layers it moves.
CREATE FUNCTION record_layer_order() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    present bigint := current_change_set();
BEGIN
    INSERT INTO subject_changes
        (change_set_id, kind, action, subject_id, map_id, details)
    SELECT present, 'map', 'update', NEW.map_id, NEW.map_id, '{"changed": ["layer_order"]}'
    WHERE NOT EXISTS (
        SELECT FROM subject_changes WHERE change_set_id = present AND kind = 'map'
            AND subject_id = NEW.map_id AND details = '{"changed": ["layer_order"]}');
    RETURN NULL;
END $$;

CREATE TRIGGER record_subject_change AFTER INSERT OR UPDATE OR DELETE ON layers
    FOR EACH ROW EXECUTE FUNCTION record_subject_change('layer',
        'name,category,created_by,editable,visibility,is_global,geometry_type,time_field',
        'description,source_config,style_config,legend_config,layer_metadata,property_schema,additional_crs,indexed_properties');
CREATE TRIGGER record_subject_change AFTER INSERT OR UPDATE OR DELETE ON maps
    FOR EACH ROW EXECUTE FUNCTION record_subject_change('map',
        'name,created_by,view_permission,edit_permission',
        'description,center_lat,center_lng,zoom,map_metadata');
CREATE TRIGGER record_subject_change AFTER INSERT OR UPDATE OR DELETE ON map_layers
    FOR EACH ROW EXECUTE FUNCTION record_subject_change('map_layer',
        'visible,opacity', 'style_override');
CREATE TRIGGER record_layer_order AFTER UPDATE ON map_layers
    FOR EACH ROW WHEN (OLD."order" <> NEW."order") EXECUTE FUNCTION record_layer_order();
CREATE TRIGGER record_subject_change AFTER INSERT OR UPDATE OR DELETE ON map_collaborators
    FOR EACH ROW EXECUTE FUNCTION record_subject_change('collaborator', 'user_id,role', '');
CREATE TRIGGER record_subject_change AFTER INSERT OR UPDATE OR DELETE ON comments
    FOR EACH ROW EXECUTE FUNCTION record_subject_change('comment',
        'feature_id,parent_id', 'content,resolved_at,deleted_at');
CREATE TRIGGER record_subject_change AFTER INSERT OR UPDATE OR DELETE ON api_tokens
    FOR EACH ROW EXECUTE FUNCTION record_subject_change('token',
        'user_id,name,scope,expires_at,revoked_at', '');
CREATE TRIGGER record_subject_change AFTER INSERT OR UPDATE ON imports
    FOR EACH ROW WHEN (NEW.status IN ('imported', 'undone'))
    EXECUTE FUNCTION record_subject_change('import', 'user_id,name,status', '');
