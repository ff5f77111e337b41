-- params: 7
-- Values that were applied (or are gone). One that has moved to a person who is not linked yet stays staged until that one is.
-- $1 org, $2 adapter, $3 type, $4 ids, $5 key of the relation to the person. Agreed is what theirs says, but where ours stands:
-- $6 ids, $7 agreed.
WITH k AS MATERIALIZED (
    SELECT l.* FROM unnest($4::text[]) AS i (ext)
    CROSS JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.external_id = i.ext LIMIT 1) l
    CROSS JOIN LATERAL (SELECT b.staged -> '_rel' ->> $5 AS ref FROM sync.base b WHERE b.org_id = $1 AND b.link_id = l.id LIMIT 1) b
    LEFT JOIN LATERAL (SELECT t.entity_id FROM sync.external_link t WHERE t.org_id = $1 AND t.adapter = $2
        AND t.external_type = split_part(b.ref, '/', 1) AND t.external_id = split_part(b.ref, '/', 2) LIMIT 1) p ON true
    WHERE l.state = 'linked' AND (b.ref IS NULL OR p.entity_id = l.entity_id)
), l AS (
    INSERT INTO sync.external_link AS l (org_id, adapter, external_type, external_id, id, kind)
    SELECT $1, $2, $3, k.external_id, k.id, k.kind FROM k
    ON CONFLICT (org_id, adapter, external_type, external_id) DO UPDATE SET last_processed_at = now()
)
INSERT INTO sync.base AS b (org_id, link_id, agreed) SELECT $1, k.id, u.agreed
FROM k LEFT JOIN unnest($6::text[], $7::jsonb[]) AS u (ext, agreed) ON u.ext = k.external_id
ON CONFLICT (org_id, link_id) DO UPDATE SET seen = b.staged, staged = NULL,
    agreed = nullif(excluded.agreed, jsonb_build_object('value', b.staged -> 'value')), write_xid = pg_current_xact_id()
    WHERE b.staged IS NOT NULL
