-- params: 8
-- Fields that wait for a person. $1 org, $2 adapter, $3 type, $4 entity tag; a row per field: $5 ids, $6 entity ids, $7 fields,
-- $8 what both sides say. A question that is open already is asked with the values of now.
INSERT INTO sync.review AS r (org_id, adapter, kind, external_type, external_id, entity_type, entity_id, field, detail, link_rev)
SELECT $1, $2, 'conflict', $3, x.ext, $4, x.eid, x.field, x.detail, l.rev
FROM unnest($5::text[], $6::text[], $7::text[], $8::jsonb[]) AS x (ext, eid, field, detail)
CROSS JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
    AND l.external_id = x.ext LIMIT 1) l
ON CONFLICT (org_id, adapter, kind, external_type, external_id, field) WHERE state = 'open'
    DO UPDATE SET detail = excluded.detail, link_rev = excluded.link_rev
