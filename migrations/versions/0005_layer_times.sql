-- The properties that tell when a layer's features are: its time field, or those that its schema
-- gives such a role.
CREATE FUNCTION time_properties(layer layers) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN layer.time_field IS NOT NULL THEN ARRAY[layer.time_field] ELSE ARRAY(
        SELECT key FROM jsonb_each(layer.property_schema -> 'properties')
        WHERE value ->> 'x-ogc-role'
            IN ('primary-instant', 'primary-interval-start', 'primary-interval-end')
        ORDER BY key) END
$$;

-- A layer's extent in time, in seconds since 1970: nulls where nothing has a time.
CREATE FUNCTION layer_times(layer layers) RETURNS double precision[]
    LANGUAGE sql STABLE AS $$
    SELECT ARRAY[min(earliest), max(latest)]
    FROM unnest(time_properties(layer)) AS name
    CROSS JOIN LATERAL (
        SELECT (SELECT number FROM property_values
                WHERE layer_id = layer.id AND property = name AND number IS NOT NULL
                ORDER BY number LIMIT 1) AS earliest,
               (SELECT number FROM property_values
                WHERE layer_id = layer.id AND property = name AND number IS NOT NULL
                ORDER BY number DESC LIMIT 1) AS latest
    ) AS ends
$$;

CREATE FUNCTION index_times() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT NEW.indexed_properties @> time_properties(NEW) THEN
        NEW.indexed_properties := NEW.indexed_properties || ARRAY(
            SELECT name FROM unnest(time_properties(NEW)) AS name
            WHERE name <> ALL (NEW.indexed_properties));
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER index_times BEFORE INSERT OR UPDATE ON layers
    FOR EACH ROW EXECUTE FUNCTION index_times();

-- Of whatever column: the list grows with a new time field.
DROP TRIGGER index_properties ON layers;
CREATE TRIGGER index_properties AFTER UPDATE ON layers
    FOR EACH ROW WHEN (OLD.indexed_properties IS DISTINCT FROM NEW.indexed_properties)
    EXECUTE FUNCTION index_properties();

UPDATE layers SET indexed_properties = indexed_properties
WHERE NOT indexed_properties @> time_properties(layers);
