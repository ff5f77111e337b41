-- params: 4
-- Records that are only referred to: linked without an entity. $1 org, $2 adapter, $3 type, $4 ids.
WITH l AS (
    UPDATE sync.external_link SET state = 'linked', last_processed_at = now(), rev = rev + 1
    WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND state = 'unmatched'
        AND external_id = ANY ($4::text[])
    RETURNING id
)
UPDATE sync.base b SET seen = b.staged, staged = NULL WHERE b.org_id = $1
    AND b.link_id = ANY (ARRAY(SELECT id FROM l)) AND b.staged IS NOT NULL
