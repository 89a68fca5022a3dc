-- Tables that grow with features may be distributed by their layers (docs/growing.md). Triggers are
-- called for the shards then, on the servers that have these, and `layers` is on another one: what
-- triggers have to know of the transaction is told to the shards in its settings. `citus.version` is
-- a setting wherever that is loaded.
--
-- A statement after `-- beside: TABLES (VARIABLES)` is for the tables beside the one that the trigger
-- is called for. The migration makes two of it: as it is for the tables themselves, whose plan is
-- kept, and one whose text is made for a shard.

-- Tells a setting of the transaction to the shards too. Others are not: with one that is sent along
-- with other statements Citus would send these.
CREATE FUNCTION set_for_shards(name text, value text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    IF current_setting('citus.version', true) IS NULL THEN
        told := set_config(name, value, true);
    ELSE
        told := set_config('citus.propagate_set_commands', 'local', true);
        EXECUTE format('SET LOCAL %s = %L', name, value);
        told := set_config('citus.propagate_set_commands', 'none', true);
    END IF;
END $$;

-- The table beside the one that a trigger is called for: of a shard of `layer_features`, the shard
-- that has the same layers.
CREATE FUNCTION table_beside(called_for text, wanted text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF called_for = 'layer_features' THEN
        RETURN wanted;
    END IF;
    RETURN (
        SELECT format('%s_%s', wanted, beside.shardid)
        FROM pg_dist_shard AS own JOIN pg_dist_shard AS beside USING (shardminvalue)
        WHERE own.shardid = substring(called_for FROM '_([0-9]+)$')::bigint
            AND beside.logicalrelid = wanted::regclass);
END $$;

-- Keeps a layer from being deleted until the transaction ends, as the check of a foreign key from
-- its features would.
CREATE FUNCTION hold_layer(layer uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM layers WHERE id = layer FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('there is no layer %s: fk_layer_changes_layer_id', layer),
            TABLE = 'layer_changes', CONSTRAINT = 'fk_layer_changes_layer_id';
    END IF;
END $$;

-- What a transaction calls before it writes to features that are distributed: it holds the layer,
-- begins the change set, and tells the shards, which have neither table, and which properties have
-- an index. Whoever changes these waits for all who hold the layer. Elsewhere triggers do all of it.
CREATE FUNCTION begin_writing(layer uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    held jsonb := coalesce(nullif(current_setting('samsyn.held_layers', true), ''), '{}');
    names jsonb;
BEGIN
    PERFORM hold_layer(layer), current_change_set();
    -- once the lock is there: what it had to wait for is seen only now
    SELECT to_jsonb(indexed_properties) INTO names FROM layers WHERE id = layer;
    IF held -> layer::text IS DISTINCT FROM names THEN
        PERFORM set_for_shards('samsyn.held_layers',
            (held || jsonb_build_object(layer, names))::text);
    END IF;
END $$;

-- For triggers: holds the layer, or, on a shard, finds that the transaction does.
CREATE FUNCTION require_layer(layer uuid, called_for text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF called_for = 'layer_features' THEN
        PERFORM hold_layer(layer);
    ELSIF NOT coalesce(
        nullif(current_setting('samsyn.held_layers', true), '')::jsonb ? layer::text, false
    ) THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('nothing holds the layer %s: fk_layer_changes_layer_id', layer),
            HINT = 'Call begin_writing(layer) first, in the same transaction.',
            TABLE = 'layer_changes', CONSTRAINT = 'fk_layer_changes_layer_id';
    END IF;
END $$;

-- The indexed properties of a layer that the transaction holds, for triggers.
CREATE FUNCTION held_properties(layer uuid, called_for text) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF called_for = 'layer_features' THEN
        RETURN (SELECT indexed_properties FROM layers WHERE id = layer);
    END IF;
    RETURN ARRAY(SELECT jsonb_array_elements_text(
        current_setting('samsyn.held_layers')::jsonb -> layer::text));
END $$;

CREATE OR REPLACE FUNCTION current_change_set() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    made bigint := nullif(current_setting('samsyn.change_set', true), '');
    origin jsonb;
    told text;
BEGIN
    IF made IS NULL THEN
        IF to_regclass('change_sets') IS NULL THEN
            RAISE object_not_in_prerequisite_state USING
                MESSAGE = 'the transaction has no change set',
                HINT = 'Call begin_writing(layer) first, in the same transaction.';
        END IF;
        origin := nullif(current_setting('samsyn.origin', true), '');
        told := set_config('samsyn.change_set', 'new', true);
        INSERT INTO change_sets (user_id, via, request_id, message)
        VALUES ((origin ->> 'user_id')::uuid, coalesce(origin ->> 'via', 'database'),
            origin ->> 'request_id', origin ->> 'message')
        RETURNING id INTO made;
        PERFORM set_for_shards('samsyn.change_set', made::text);
    END IF;
    RETURN made;
END $$;

-- Adds up a layer's rows once there are many. Rows that another transaction is folding are
-- skipped, so that nobody waits; rows not yet committed are not seen, so that nothing is lost.
-- One statement in eight looks: while a long transaction holds many rows, every statement would
-- find too many and fold its own row alone.
DROP FUNCTION fold_layer_changes(uuid);
CREATE FUNCTION fold_layer_changes(layer uuid, called_for text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    changes text;
    number bigint;
BEGIN
    IF random() >= 0.125 THEN
        RETURN;
    END IF;
    changes := table_beside(called_for, 'layer_changes');
    EXECUTE format('SELECT count(*) FROM (SELECT FROM %I WHERE layer_id = $1 LIMIT 65) AS few',
        changes) INTO number USING layer;
    IF number > 64 THEN
        EXECUTE format('
            WITH folded AS (
                DELETE FROM %1$I
                WHERE layer_id = $1 AND id IN (
                    SELECT id FROM %1$I WHERE layer_id = $1 FOR UPDATE SKIP LOCKED)
                RETURNING feature_count, changes
            )
            INSERT INTO %1$I (layer_id, id, feature_count, changes)
            SELECT $1, gen_random_uuid(), sum(feature_count), sum(changes) FROM folded
            HAVING count(*) > 0', changes) USING layer;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION count_inserted_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    layer uuid;
    number bigint;
BEGIN
    FOR layer, number IN SELECT layer_id, count(*) FROM inserted GROUP BY layer_id LOOP
        PERFORM require_layer(layer, TG_TABLE_NAME::text);
        -- beside: layer_changes (layer, number)
        INSERT INTO layer_changes (layer_id, id, feature_count, changes)
        VALUES (layer, gen_random_uuid(), number, 1);
        PERFORM fold_layer_changes(layer, TG_TABLE_NAME::text),
            note_changed_features(layer, number, 0, 0);
    END LOOP;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION count_updated_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    layer uuid;
    number bigint;
BEGIN
    FOR layer, number IN SELECT layer_id, count(*) FROM updated GROUP BY layer_id LOOP
        PERFORM require_layer(layer, TG_TABLE_NAME::text);
        -- beside: layer_changes (layer)
        INSERT INTO layer_changes (layer_id, id, feature_count, changes)
        VALUES (layer, gen_random_uuid(), 0, 1);
        PERFORM fold_layer_changes(layer, TG_TABLE_NAME::text),
            note_changed_features(layer, 0, number, 0);
    END LOOP;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION count_deleted_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    layer uuid;
    number bigint;
BEGIN
    FOR layer, number IN SELECT layer_id, count(*) FROM deleted GROUP BY layer_id LOOP
        PERFORM require_layer(layer, TG_TABLE_NAME::text);
        -- beside: layer_changes (layer, number)
        INSERT INTO layer_changes (layer_id, id, feature_count, changes)
        VALUES (layer, gen_random_uuid(), -number, 1);
        PERFORM fold_layer_changes(layer, TG_TABLE_NAME::text), current_change_set(),
            note_changed_features(layer, 0, 0, number);
    END LOOP;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION index_inserted_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    layer uuid;
    names text[];
BEGIN
    FOR layer IN SELECT DISTINCT layer_id FROM inserted LOOP
        names := held_properties(layer, TG_TABLE_NAME::text);
        CONTINUE WHEN names = '{}';
        -- beside: property_values (layer, names)
        INSERT INTO property_values (layer_id, feature_id, property, number, text)
        SELECT layer, id, name, number, text
        FROM inserted
        CROSS JOIN unnest(names) AS name
        CROSS JOIN LATERAL (
            SELECT indexed_number(properties -> name) AS number,
                   indexed_text(properties -> name) AS text OFFSET 0) AS kept
        WHERE layer_id = layer AND (number IS NOT NULL OR text IS NOT NULL);
    END LOOP;
    RETURN NULL;
END $$;

-- Compares with arrays and scalars, never joins: a plan that does not know how many rows there are
-- would read all of a table for one feature.
CREATE OR REPLACE FUNCTION index_updated_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    layer uuid;
    names text[];
BEGIN
    FOR layer IN SELECT DISTINCT layer_id FROM updated LOOP
        names := held_properties(layer, TG_TABLE_NAME::text);
        CONTINUE WHEN names = '{}';
        -- beside: property_values, layer_features (layer)
        DELETE FROM property_values AS kept
        WHERE layer_id = layer
            AND feature_id = ANY (ARRAY(SELECT id FROM updated WHERE layer_id = layer))
            AND (number IS DISTINCT FROM (
                    SELECT indexed_number(properties -> property) FROM layer_features
                    WHERE layer_id = layer AND id = feature_id)
                OR text IS DISTINCT FROM (
                    SELECT indexed_text(properties -> property) FROM layer_features
                    WHERE layer_id = layer AND id = feature_id));
        -- beside: property_values (layer, names)
        INSERT INTO property_values (layer_id, feature_id, property, number, text)
        SELECT layer, id, name, number, text
        FROM updated
        CROSS JOIN unnest(names) AS name
        CROSS JOIN LATERAL (
            SELECT indexed_number(properties -> name) AS number,
                   indexed_text(properties -> name) AS text OFFSET 0) AS kept
        WHERE layer_id = layer AND (number IS NOT NULL OR text IS NOT NULL)
        ON CONFLICT DO NOTHING;
    END LOOP;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION index_deleted_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    layer uuid;
BEGIN
    FOR layer IN SELECT DISTINCT layer_id FROM deleted LOOP
        CONTINUE WHEN held_properties(layer, TG_TABLE_NAME::text) = '{}';
        -- beside: property_values (layer)
        DELETE FROM property_values
        WHERE layer_id = layer
            AND feature_id = ANY (ARRAY(SELECT id FROM deleted WHERE layer_id = layer));
    END LOOP;
    RETURN NULL;
END $$;

-- The lock waits for all who hold the layer's key, and lets nobody have it: what they wrote is seen
-- here, and what others write later is kept by their own statements.
CREATE OR REPLACE FUNCTION index_properties() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM layers WHERE id = NEW.id FOR UPDATE;
    DELETE FROM property_values
    WHERE layer_id = NEW.id AND property <> ALL (NEW.indexed_properties);
    INSERT INTO property_values (layer_id, feature_id, property, number, text)
    SELECT layer_id, id, name, number, text
    FROM layer_features
    CROSS JOIN unnest(NEW.indexed_properties) AS name
    CROSS JOIN LATERAL (
        SELECT indexed_number(properties -> name) AS number,
               indexed_text(properties -> name) AS text OFFSET 0) AS kept
    WHERE layer_id = NEW.id AND name <> ALL (OLD.indexed_properties)
        AND (number IS NOT NULL OR text IS NOT NULL);
    IF nullif(current_setting('samsyn.held_layers', true), '')::jsonb ? NEW.id::text THEN
        PERFORM begin_writing(NEW.id);
    END IF;
    RETURN NULL;
END $$;

-- What a transaction has made itself was never there for anybody else, and is not kept.
CREATE OR REPLACE FUNCTION keep_updated_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    present bigint := nullif(current_setting('samsyn.change_set', true), '');
BEGIN
    -- beside: feature_versions (present)
    INSERT INTO feature_versions (layer_id, feature_id, to_change, from_change, was_deleted,
        version, geom, properties, created_by, updated_by, created_at, updated_at)
    SELECT layer_id, id, present, coalesce(change_set, 0), false,
        version, geom, properties, created_by, updated_by, created_at, updated_at
    FROM former WHERE change_set IS DISTINCT FROM present;
    RETURN NULL;
END $$;

-- Of a feature that the transaction has updated before, what others knew is kept already.
CREATE OR REPLACE FUNCTION keep_deleted_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    present bigint := nullif(current_setting('samsyn.change_set', true), '');
    layer uuid;
BEGIN
    -- beside: feature_versions (present)
    INSERT INTO feature_versions (layer_id, feature_id, to_change, from_change, was_deleted,
        version, geom, properties, created_by, updated_by, created_at, updated_at)
    SELECT layer_id, id, present, coalesce(change_set, 0), true,
        version, geom, properties, created_by, updated_by, created_at, updated_at
    FROM deleted WHERE change_set IS DISTINCT FROM present;
    FOR layer IN SELECT DISTINCT layer_id FROM deleted WHERE change_set = present LOOP
        -- beside: feature_versions (layer, present)
        UPDATE feature_versions SET was_deleted = true
        WHERE layer_id = layer AND to_change = present AND feature_id = ANY (ARRAY(
            SELECT id FROM deleted WHERE layer_id = layer AND change_set = present));
    END LOOP;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION keep_truncated_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    present bigint;
BEGIN
    IF to_regclass('pg_dist_partition') IS NOT NULL THEN
        RAISE feature_not_supported USING
            MESSAGE = 'layer_features is not truncated where it may be distributed',
            HINT = 'Delete the features of each layer, or the layer.';
    END IF;
    present := current_change_set();
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

-- What the triggers have noted of a layer in the settings of the transaction, where its shard is.
CREATE FUNCTION noted_changes(layer uuid) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN jsonb_build_object(
        'changed', nullif(current_setting('samsyn.changed_layers', true), '')::jsonb
            -> layer::text,
        'noticed', nullif(current_setting('samsyn.noticed_features', true), '')::jsonb
            -> layer::text);
END $$;

-- Brings what was noted of a layer where its shard is to the transaction itself. It is read by the
-- connection that has written to the shard, and so has the settings of the transaction there.
CREATE FUNCTION gather_changes(layer uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    noted jsonb;
    told text;
BEGIN
    SELECT noted_changes(layer_id) INTO noted FROM layer_changes WHERE layer_id = layer LIMIT 1;
    IF noted ->> 'changed' IS NOT NULL THEN
        told := set_config('samsyn.changed_layers', (
                coalesce(nullif(current_setting('samsyn.changed_layers', true), ''), '{}')::jsonb
                || jsonb_build_object(layer, noted -> 'changed'))::text, true)
            || set_config('samsyn.noticed_features', (
                coalesce(nullif(current_setting('samsyn.noticed_features', true), ''), '{}')::jsonb
                || jsonb_build_object(layer, noted -> 'noticed'))::text, true);
    END IF;
END $$;

-- Before, not after: the row is locked by then, which waits for writers that hold it. In another
-- isolation than this one what they have committed would not be seen, and stay.
CREATE OR REPLACE FUNCTION delete_layer_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    number bigint;
    changes_made bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE serialization_failure USING
            MESSAGE = 'could not serialize access: layers are deleted in READ COMMITTED';
    END IF;
    SELECT sum(feature_count) INTO number FROM layer_changes WHERE layer_id = OLD.id;
    PERFORM begin_writing(OLD.id);
    DELETE FROM layer_features WHERE layer_id = OLD.id;
    SELECT sum(changes) INTO changes_made FROM layer_changes WHERE layer_id = OLD.id;
    INSERT INTO deleted_layers (id, created_by, definition, feature_count, data_version,
        change_set_id, deleted_at)
    VALUES (OLD.id, OLD.created_by, to_jsonb(OLD), coalesce(number, 0), coalesce(changes_made, 0),
        current_change_set(), clock_timestamp());
    IF current_setting('citus.version', true) IS NOT NULL THEN
        PERFORM gather_changes(OLD.id);
    END IF;
    DELETE FROM layer_changes WHERE layer_id = OLD.id;
    RETURN OLD;
END $$;

-- At the end of the transaction. The locks are held until its changes are seen by others, so that
-- the times of a layer's change sets are in the order of their commits, without a writer waiting for
-- another one while it works; every statement after them sees what was committed before. All layers
-- of the transaction have one time. By the indexes, also of tables whose statistics are older than
-- the layer.
CREATE OR REPLACE FUNCTION commit_change_set() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_sort = off AS $$
DECLARE
    noted jsonb;
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
    overtaken timestamptz;
    first_id bigint;
    last_id bigint;
    told text;
BEGIN
    -- after SET CONSTRAINTS ALL IMMEDIATE this is called as soon as the row is inserted
    IF current_setting('samsyn.change_set', true) = 'new' THEN
        SET CONSTRAINTS commit_change_set DEFERRED;
        DELETE FROM change_sets WHERE id = NEW.id;
        INSERT INTO change_sets SELECT NEW.*;
        RETURN NULL;
    END IF;
    IF current_setting('citus.version', true) IS NOT NULL THEN
        -- the shards go on counting where they were
        IF nullif(current_setting('samsyn.committed_layers', true), '') IS NOT NULL THEN
            RAISE feature_not_supported USING
                MESSAGE = 'a transaction has one change set where features may be distributed',
                HINT = 'SET CONSTRAINTS ... IMMEDIATE is for its end.';
        END IF;
        PERFORM gather_changes(key::uuid) FROM jsonb_object_keys(
            nullif(current_setting('samsyn.held_layers', true), '')::jsonb) AS key;
    END IF;
    noted := nullif(current_setting('samsyn.changed_layers', true), '');
    -- what a statement after SET CONSTRAINTS changes is another change set
    told := set_config('samsyn.change_set', '', true)
        || set_config('samsyn.changed_layers', '', true)
        || set_config('samsyn.committed_layers', coalesce(noted::text, ''), true);
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
        overtaken := NULL;
        IF last_change > NEW.id THEN
            SELECT min(committed_at) INTO overtaken FROM layer_change_sets
            WHERE layer_id = layer AND change_set_id > NEW.id;
        END IF;
        IF sees_all THEN
            SELECT id INTO first_id FROM layer_features
            WHERE layer_id = layer ORDER BY id LIMIT 1;
            SELECT id INTO last_id FROM layer_features
            WHERE layer_id = layer ORDER BY id DESC LIMIT 1;
        END IF;
        INSERT INTO layer_change_sets (layer_id, change_set_id, inserted, updated, deleted,
            committed_at, latest, overtaken_at, feature_count, first_id, last_id)
        VALUES (layer, NEW.id, (counts ->> 0)::bigint, (counts ->> 1)::bigint,
            (counts ->> 2)::bigint, moment, greatest(last_change, NEW.id), overtaken,
            CASE WHEN sees_all THEN coalesce(last_count, 0) END, first_id, last_id);
    END LOOP;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION notice_change_set() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    noticed jsonb := nullif(current_setting('samsyn.noticed_features', true), '');
    changed uuid[] := ARRAY(SELECT key::uuid FROM jsonb_object_keys(
        nullif(current_setting('samsyn.committed_layers', true), '')::jsonb) AS key);
    present bigint;
BEGIN
    PERFORM set_config('samsyn.noticed_features', '', true);
    IF changed = '{}'
        AND NOT EXISTS (
            SELECT FROM subject_changes WHERE change_set_id = NEW.id AND kind <> 'import') THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('change_positions', 0));
    present := nextval('change_positions');
    IF changed <> '{}' THEN
        INSERT INTO change_notices (subject_id, position, change_set_id, committed_at,
            inserted, updated, deleted, features)
        SELECT layer_id, present, NEW.id, committed_at, inserted, updated, deleted,
            CASE WHEN inserted + updated + deleted <= 20
                AND inserted + updated + deleted = jsonb_array_length(noticed -> layer_id::text)
                THEN noticed -> layer_id::text END
        FROM layer_change_sets WHERE layer_id = ANY (changed) AND change_set_id = NEW.id;
    END IF;
    INSERT INTO change_notices (subject_id, position, change_set_id, committed_at)
    SELECT DISTINCT coalesce(map_id, layer_id, subject_id), present, NEW.id, clock_timestamp()
    FROM subject_changes WHERE change_set_id = NEW.id AND kind <> 'import'
    ON CONFLICT DO NOTHING;
    PERFORM pg_notify('samsyn_changes', present::text);
    RETURN NULL;
END $$;

-- What lists tell of layers, of each by itself: lists join what is not distributed.
CREATE FUNCTION layer_count(layer uuid) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT coalesce(sum(feature_count), 0) FROM layer_changes WHERE layer_id = layer);
END $$;

CREATE FUNCTION layer_version(layer uuid) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT coalesce(sum(changes), 0) FROM layer_changes WHERE layer_id = layer);
END $$;

-- The types of a layer's first geometries.
CREATE FUNCTION layer_types(layer uuid) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT array_agg(DISTINCT replace(ST_GeometryType(geom), 'ST_', ''))
        FROM (
            SELECT geom FROM layer_features
            WHERE layer_id = layer AND geom IS NOT NULL ORDER BY id LIMIT 10) AS first);
END $$;

-- The properties in a layer's first thousand features, with the types of their values.
CREATE FUNCTION layer_properties(layer uuid) RETURNS TABLE (name text, types text[])
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
        SELECT entry.key, array_agg(DISTINCT jsonb_typeof(entry.value))
        FROM (
            SELECT properties FROM layer_features WHERE layer_id = layer ORDER BY id LIMIT 1000
        ) AS sample, jsonb_each(properties) AS entry
        WHERE entry.value <> 'null'
        GROUP BY entry.key;
END $$;

-- A feature as it was at a moment: no row where it was not there.
CREATE FUNCTION feature_at(of_layer uuid, of_feature bigint, moment timestamptz)
RETURNS TABLE (valid_from timestamptz, geom geometry, properties jsonb)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT valid_from, geom, properties
        FROM (
            SELECT geom, properties, coalesce(began.committed_at, stored.updated_at) AS valid_from,
                ended.committed_at AS valid_to
            FROM (
                SELECT layer_id, geom, properties, updated_at,
                    coalesce(change_set, 0) AS from_change, NULL::bigint AS to_change
                FROM layer_features WHERE layer_id = of_layer AND id = of_feature
                UNION ALL
                SELECT layer_id, geom, properties, updated_at, from_change, to_change
                FROM feature_versions WHERE layer_id = of_layer AND feature_id = of_feature
            ) AS stored
            LEFT JOIN layer_change_sets AS began
                ON began.layer_id = of_layer AND began.change_set_id = from_change
            LEFT JOIN layer_change_sets AS ended
                ON ended.layer_id = of_layer AND ended.change_set_id = to_change
        ) AS versions
        WHERE valid_from <= moment AND (valid_to > moment OR valid_to IS NULL)
        ORDER BY valid_from DESC LIMIT 1;
END $$;

-- The properties that tell when a layer's features are: its time field, or those that its schema
-- gives such a role.
CREATE FUNCTION time_properties(time_field text, property_schema jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN time_field IS NOT NULL THEN ARRAY[time_field] ELSE ARRAY(
        SELECT key FROM jsonb_each(property_schema -> 'properties')
        WHERE value ->> 'x-ogc-role'
            IN ('primary-instant', 'primary-interval-start', 'primary-interval-end')
        ORDER BY key) END
$$;

CREATE OR REPLACE FUNCTION index_times() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    names text[] := time_properties(NEW.time_field, NEW.property_schema);
BEGIN
    IF NOT NEW.indexed_properties @> names THEN
        NEW.indexed_properties := NEW.indexed_properties || ARRAY(
            SELECT name FROM unnest(names) AS name WHERE name <> ALL (NEW.indexed_properties));
    END IF;
    RETURN NEW;
END $$;

-- A layer's extent in time, in seconds since 1970: nulls where nothing has a time.
CREATE FUNCTION layer_times(layer uuid) RETURNS double precision[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    name text;
    number double precision;
    earliest double precision;
    latest double precision;
BEGIN
    FOREACH name IN ARRAY coalesce((
        SELECT time_properties(time_field, property_schema) FROM layers WHERE id = layer
    ), '{}') LOOP
        SELECT kept.number INTO number FROM property_values AS kept
        WHERE kept.layer_id = layer AND kept.property = name AND kept.number IS NOT NULL
        ORDER BY kept.number LIMIT 1;
        earliest := least(earliest, number);
        SELECT kept.number INTO number FROM property_values AS kept
        WHERE kept.layer_id = layer AND kept.property = name AND kept.number IS NOT NULL
        ORDER BY kept.number DESC LIMIT 1;
        latest := greatest(latest, number);
    END LOOP;
    RETURN ARRAY[earliest, latest];
END $$;

-- layer_times(layers) and time_properties(layers) stay: the release before calls them.
