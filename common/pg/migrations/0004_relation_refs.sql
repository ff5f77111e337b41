-- What the change reader may know of sync.base: which records a link's relations were agreed to lead to ("Campus/12"), and nothing that
-- stands in them. It runs with the rights of its owner, so that the reader needs none on the table itself.
CREATE FUNCTION sync.relation_refs(org text, link bigint) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT r.ref
    FROM sync.base b
    CROSS JOIN LATERAL (
        SELECT e.value #>> '{}' AS ref
        FROM jsonb_each(coalesce(b.seen -> '_rel', '{}') || coalesce(b.agreed -> '_rel', '{}')) e
        UNION ALL
        SELECT m.value
        FROM jsonb_each(coalesce(b.seen -> '_many', '{}') || coalesce(b.agreed -> '_many', '{}')) e
        CROSS JOIN LATERAL jsonb_array_elements_text(CASE jsonb_typeof(e.value) WHEN 'array' THEN e.value ELSE '[]' END) m
    ) r
    WHERE b.org_id = $1 AND b.link_id = $2 AND r.ref IS NOT NULL
$$;
