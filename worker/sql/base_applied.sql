-- params: 6
-- What was staged has been applied. $1 org, $2 adapter, $3 type, $4 ids, $5 agreed (null: same as seen), $6 entity written.
WITH k AS MATERIALIZED (
    SELECT l.*, i.agreed, i.wrote FROM unnest($4::text[], $5::jsonb[], $6::boolean[]) AS i (ext, agreed, wrote)
    CROSS JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.external_id = i.ext LIMIT 1) l
), l AS (
    INSERT INTO sync.external_link AS l (org_id, adapter, external_type, external_id, id, kind)
    SELECT $1, $2, $3, k.external_id, k.id, k.kind FROM k
    ON CONFLICT (org_id, adapter, external_type, external_id) DO UPDATE SET last_processed_at = now()
)
INSERT INTO sync.base AS b (org_id, link_id, agreed, write_xid)
SELECT $1, k.id, k.agreed, CASE WHEN k.wrote THEN pg_current_xact_id() END FROM k
ON CONFLICT (org_id, link_id) DO UPDATE SET seen = b.staged, staged = NULL, agreed = excluded.agreed,
    write_xid = coalesce(excluded.write_xid, b.write_xid)
    WHERE b.staged IS NOT NULL
