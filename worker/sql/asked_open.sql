-- params: 4
-- What a person is asked about some records and has not answered. $1 org, $2 adapter, $3 type, $4 ids. Gives entity id, field.
SELECT r.entity_id, r.field FROM unnest($4::text[]) AS i (ext)
CROSS JOIN LATERAL (SELECT * FROM sync.review r WHERE r.org_id = $1 AND r.adapter = $2 AND r.external_type = $3
    AND r.external_id = i.ext OFFSET 0) r
WHERE r.kind = 'conflict' AND r.state = 'open' AND r.entity_id IS NOT NULL
