-- params: 8
-- A value that they did not take. $1 org, $2 adapter, $3 external type, $4 entity tag, $5 external id, $6 entity id, $7 field,
-- $8 detail. Once, while it is open.
INSERT INTO sync.review (org_id, adapter, kind, external_type, external_id, entity_type, entity_id, field, detail)
VALUES ($1, $2, 'conflict', $3, $5, $4, $6, $7, $8)
ON CONFLICT (org_id, adapter, kind, external_type, external_id, field) WHERE state = 'open' DO NOTHING
