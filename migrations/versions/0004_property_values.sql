-- What an index keeps of a JSON value: rounded, but in the order that filters compare values by, so
-- that whatever a comparison finds lies between the rounded bounds. Numbers as doubles, as no key of
-- an index has room for all their digits; true as 1; moments in seconds since 1970, a date as the
-- start of its day and a time without a zone in UTC. The pattern is that of the moments in filters.
CREATE FUNCTION indexed_number(value jsonb) RETURNS double precision
    LANGUAGE plpgsql IMMUTABLE STRICT SET timezone = 'UTC' AS $$
DECLARE
    number numeric;
    given text;
BEGIN
    CASE jsonb_typeof(value)
    WHEN 'number' THEN
        number := value::numeric;
        IF abs(number) > 1e300 THEN
            RETURN CASE WHEN number < 0 THEN '-infinity' ELSE 'infinity' END::double precision;
        ELSIF abs(number) < 1e-300 THEN
            RETURN 0;
        END IF;
        RETURN number::double precision;
    WHEN 'boolean' THEN
        RETURN value::boolean::int;
    WHEN 'string' THEN
        given := value #>> '{}';
        IF length(given) BETWEEN 10 AND 40 AND given ~ (
            '^(?!0000)(?:[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])'
            '|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)'
            '|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)'
            '([Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,9})?'
            '(?:[Zz]|[-+](?:0[0-9]|1[0-5]):[0-5][0-9])?)?$'
        ) THEN
            RETURN extract(epoch FROM given::timestamptz);
        END IF;
        RETURN NULL;
    ELSE
        RETURN NULL;
    END CASE;
END $$;

CREATE FUNCTION indexed_text(value jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT CASE WHEN jsonb_typeof(value) = 'string' THEN left(value #>> '{}', 200) END
$$;

-- The triggers' names put them behind those that count: by then the transaction holds the layer's
-- key, so that its list of indexed properties stays as it is until the transaction ends. Statements
-- compare with arrays and scalars, never join: a plan kept from an import would read all of a table
-- for one feature.
CREATE FUNCTION index_inserted_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    layer uuid;
    names text[];
BEGIN
    FOR layer, names IN
        SELECT layer_id, (SELECT indexed_properties FROM layers WHERE id = layer_id)
        FROM (SELECT DISTINCT layer_id FROM inserted) AS written
    LOOP
        CONTINUE WHEN names = '{}';
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

CREATE FUNCTION index_updated_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    layer uuid;
    names text[];
BEGIN
    FOR layer, names IN
        SELECT layer_id, (SELECT indexed_properties FROM layers WHERE id = layer_id)
        FROM (SELECT DISTINCT layer_id FROM updated) AS written
    LOOP
        CONTINUE WHEN names = '{}';
        DELETE FROM property_values AS kept
        WHERE layer_id = layer
            AND feature_id = ANY (ARRAY(SELECT id FROM updated WHERE layer_id = layer))
            AND (number IS DISTINCT FROM (
                    SELECT indexed_number(properties -> property) FROM layer_features
                    WHERE layer_id = layer AND id = feature_id)
                OR text IS DISTINCT FROM (
                    SELECT indexed_text(properties -> property) FROM layer_features
                    WHERE layer_id = layer AND id = feature_id));
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

CREATE FUNCTION index_deleted_features() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    layer uuid;
    names text[];
BEGIN
    FOR layer, names IN
        SELECT layer_id, (SELECT indexed_properties FROM layers WHERE id = layer_id)
        FROM (SELECT DISTINCT layer_id FROM deleted) AS written
    LOOP
        CONTINUE WHEN names = '{}';
        DELETE FROM property_values
        WHERE layer_id = layer
            AND feature_id = ANY (ARRAY(SELECT id FROM deleted WHERE layer_id = layer));
    END LOOP;
    RETURN NULL;
END $$;

CREATE FUNCTION index_truncated_features() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE property_values;
    RETURN NULL;
END $$;

CREATE TRIGGER index_inserted_features AFTER INSERT ON layer_features
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION index_inserted_features();
CREATE TRIGGER index_updated_features AFTER UPDATE ON layer_features
    REFERENCING NEW TABLE AS updated
    FOR EACH STATEMENT EXECUTE FUNCTION index_updated_features();
CREATE TRIGGER index_deleted_features AFTER DELETE ON layer_features
    REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION index_deleted_features();
CREATE TRIGGER index_truncated_features AFTER TRUNCATE ON layer_features
    FOR EACH STATEMENT EXECUTE FUNCTION index_truncated_features();

-- The lock waits for all who hold the layer's key, and lets nobody have it: what they wrote is seen
-- here, and what others write later is kept by their own statements.
CREATE FUNCTION index_properties() RETURNS trigger LANGUAGE plpgsql AS $$
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
    RETURN NULL;
END $$;

CREATE TRIGGER index_properties AFTER UPDATE OF indexed_properties ON layers
    FOR EACH ROW WHEN (OLD.indexed_properties IS DISTINCT FROM NEW.indexed_properties)
    EXECUTE FUNCTION index_properties();
