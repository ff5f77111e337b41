-- params: 4
-- A value record that is gone says nothing any more. $1 org, $2 adapter, $3 type, $4 ids.
INSERT INTO sync.base AS b (org_id, link_id)
SELECT $1, l.id FROM unnest($4::text[]) AS i (ext)
    CROSS JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.external_id = i.ext LIMIT 1) l
WHERE l.state = 'deleted'
ON CONFLICT (org_id, link_id) DO UPDATE SET seen = NULL, staged = NULL, agreed = NULL
