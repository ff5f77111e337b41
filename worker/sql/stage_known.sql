-- params: 6
-- Before a record is read again: which of these are already known just so (not to be written again), and which of their
-- children they no longer name. $1 org, $2 adapter, $3 type, $4 ids, $5 bodies, $6 updated.
-- Gives (kind 's', id, '', '') for same, kind 't' if only their time is new, (kind 'm', id, child type, child id) for a missing child.
WITH x AS MATERIALIZED (
    SELECT i.ext, i.body, b.staged, b.seen, l.state, l.missing_since, l.external_updated_at IS NOT DISTINCT FROM i.updated AS same_time
    FROM unnest($4::text[], $5::jsonb[], $6::timestamptz[]) AS i (ext, body, updated)
    CROSS JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.external_id = i.ext LIMIT 1) l
    CROSS JOIN LATERAL (SELECT * FROM sync.base b WHERE b.org_id = $1 AND b.link_id = l.id LIMIT 1) b
)
SELECT CASE WHEN same_time THEN 's' ELSE 't' END, ext, '', '' FROM x
WHERE coalesce(staged, seen) = body AND missing_since IS NULL AND state NOT IN ('deleted')
UNION ALL
SELECT 'm', x.ext, k.key, e.id
FROM x, jsonb_each(coalesce(x.staged, x.seen) -> '_sub') k, jsonb_array_elements_text(k.value) e (id)
WHERE x.body -> '_sub' ? k.key AND NOT x.body -> '_sub' -> k.key ? e.id
