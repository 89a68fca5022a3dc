CREATE SEQUENCE change_positions;

-- Which features a transaction changes, as far as it is few of a layer: `[["create", id], …]`.
CREATE FUNCTION notice_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    few constant int := 20;
    noticed jsonb := coalesce(nullif(current_setting('samsyn.noticed_features', true), ''), '{}');
    operation constant text := CASE TG_OP WHEN 'INSERT' THEN 'create' ELSE lower(TG_OP) END;
    layer text;
    former jsonb;
    entries jsonb;
BEGIN
    FOR layer, entries IN
        SELECT layer_id, jsonb_agg(jsonb_build_array(operation, id))
        FROM (SELECT layer_id, id FROM changed LIMIT few + 1) AS first GROUP BY layer_id
    LOOP
        former := coalesce(noticed -> layer, '[]');
        IF jsonb_array_length(former) <= few THEN
            noticed := jsonb_set(noticed, ARRAY[layer], former || entries);
            PERFORM set_config('samsyn.noticed_features', noticed::text, true);
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE TRIGGER notice_inserted_features AFTER INSERT ON layer_features
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION notice_features();
CREATE TRIGGER notice_updated_features AFTER UPDATE ON layer_features
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION notice_features();
CREATE TRIGGER notice_deleted_features AFTER DELETE ON layer_features
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION notice_features();

-- At the end of the transaction, behind commit_change_set (triggers run in the order of their
-- names). The lock is held until its changes are seen by others, so that whoever has read up to a
-- position has missed nothing before it. NOTIFY has such a lock of its own.
CREATE FUNCTION notice_change_set() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    noticed jsonb := nullif(current_setting('samsyn.noticed_features', true), '');
    present bigint;
BEGIN
    PERFORM set_config('samsyn.noticed_features', '', true);
    IF NOT EXISTS (SELECT FROM layer_change_sets WHERE change_set_id = NEW.id)
        AND NOT EXISTS (
            SELECT FROM subject_changes WHERE change_set_id = NEW.id AND kind <> 'import') THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('change_positions', 0));
    present := nextval('change_positions');
    INSERT INTO change_notices (subject_id, position, change_set_id, committed_at,
        inserted, updated, deleted, features)
    SELECT layer_id, present, NEW.id, committed_at, inserted, updated, deleted,
        CASE WHEN inserted + updated + deleted <= 20
            AND inserted + updated + deleted = jsonb_array_length(noticed -> layer_id::text)
            THEN noticed -> layer_id::text END
    FROM layer_change_sets WHERE change_set_id = NEW.id;
    INSERT INTO change_notices (subject_id, position, change_set_id, committed_at)
    SELECT DISTINCT coalesce(map_id, layer_id, subject_id), present, NEW.id, clock_timestamp()
    FROM subject_changes WHERE change_set_id = NEW.id AND kind <> 'import'
    ON CONFLICT DO NOTHING;
    PERFORM pg_notify('samsyn_changes', present::text);
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER notice_change_set AFTER INSERT ON change_sets
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION notice_change_set();
