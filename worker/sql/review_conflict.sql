-- params: 7
-- Fields that wait for a person. $1 org, $2 adapter, $3 type, $4 entity tag; a row per field: $5 ids, $6 entity ids, $7 fields.
INSERT INTO sync.review (org_id, adapter, kind, external_type, external_id, entity_type, entity_id, field)
SELECT $1, $2, 'conflict', $3, x.ext, $4, x.eid, x.field FROM unnest($5::text[], $6::text[], $7::text[]) AS x (ext, eid, field)
ON CONFLICT (org_id, adapter, kind, external_type, external_id, field) WHERE state = 'open' DO NOTHING
