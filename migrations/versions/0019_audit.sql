-- What was before is sealed as it is now: first the features that were there when history began.
INSERT INTO unsealed_change_sets SELECT 0 WHERE EXISTS (SELECT FROM layer_features)
    OR EXISTS (SELECT FROM feature_versions);
INSERT INTO unsealed_change_sets SELECT id FROM change_sets;

-- At the end of the transaction, behind commit_change_set (triggers run in the order of their
-- names), which removes a change set that has changed nothing. Whoever seals finds what is
-- committed, however late, and no writer waits for that.
CREATE FUNCTION queue_change_set() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO unsealed_change_sets SELECT id FROM change_sets WHERE id = NEW.id
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER queue_change_set AFTER INSERT ON change_sets
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION queue_change_set();

-- After SET CONSTRAINTS ALL IMMEDIATE a change set is queued before it is removed.
CREATE FUNCTION forget_change_set() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM unsealed_change_sets WHERE change_set_id = OLD.id;
    RETURN NULL;
END $$;

CREATE TRIGGER forget_change_set AFTER DELETE ON change_sets
    FOR EACH ROW EXECUTE FUNCTION forget_change_set();
