-- The hashes of the addresses that a layer's source has, of its files at each of its times too:
-- by them a request for an address is admitted.
CREATE FUNCTION source_addresses(config jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(md5(address))
    FROM (
        SELECT config ->> 'url' AS address
        UNION ALL
        SELECT config ->> 'cogUrl'
        UNION ALL
        SELECT replace(config ->> 'cogUrlTemplate', '{time}', moment)
        FROM jsonb_array_elements_text(
            CASE WHEN jsonb_typeof(config -> 'times') = 'array' THEN config -> 'times' ELSE '[]' END
        ) AS moment
    ) AS addresses
    WHERE address IS NOT NULL
$$;
