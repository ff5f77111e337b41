-- params: 6
-- What was staged has been applied. $1 org, $2 adapter, $3 type, $4 ids, $5 agreed (null: same as seen), $6 entity written.
WITH l AS (
    UPDATE sync.external_link l SET last_processed_at = now() FROM unnest($4::text[]) x (ext)
    WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = ANY ($4)
        AND l.external_id = x.ext
    RETURNING l.id, l.external_id
)
UPDATE sync.base b SET seen = b.staged, staged = NULL, agreed = x.agreed,
    write_xid = CASE WHEN x.wrote THEN pg_current_xact_id() ELSE b.write_xid END
FROM l JOIN unnest($4::text[], $5::jsonb[], $6::boolean[]) AS x (ext, agreed, wrote) ON x.ext = l.external_id
WHERE b.org_id = $1 AND b.link_id = ANY (ARRAY(SELECT id FROM l)) AND b.link_id = l.id AND b.staged IS NOT NULL
