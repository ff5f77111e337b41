-- params: 4
-- Values that were applied (or are gone). $1 org, $2 adapter, $3 type, $4 ids.
WITH l AS (
    UPDATE sync.external_link SET last_processed_at = now() WHERE org_id = $1 AND adapter = $2 AND external_type = $3
        AND external_id = ANY ($4) AND state = 'linked' RETURNING id
)
UPDATE sync.base b SET seen = b.staged, staged = NULL, write_xid = pg_current_xact_id()
WHERE b.org_id = $1 AND b.link_id = ANY (ARRAY(SELECT id FROM l)) AND b.staged IS NOT NULL
