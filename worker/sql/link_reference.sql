-- params: 4
-- Records that are only referred to: linked without an entity. $1 org, $2 adapter, $3 type, $4 ids.
WITH k AS MATERIALIZED (
    SELECT l.* FROM unnest($4::text[]) AS i (ext)
    CROSS JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.external_id = i.ext LIMIT 1) l
    WHERE l.state = 'unmatched'
), l AS (
    INSERT INTO sync.external_link AS l (org_id, adapter, external_type, external_id, id, kind)
    SELECT $1, $2, $3, k.external_id, k.id, k.kind FROM k
    ON CONFLICT (org_id, adapter, external_type, external_id) DO UPDATE
        SET state = 'linked', last_processed_at = now(), rev = l.rev + 1 WHERE l.state = 'unmatched'
)
INSERT INTO sync.base AS b (org_id, link_id) SELECT $1, k.id FROM k
ON CONFLICT (org_id, link_id) DO UPDATE SET seen = b.staged, staged = NULL WHERE b.staged IS NOT NULL
