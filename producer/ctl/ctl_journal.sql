-- What a person did. $1 org, $2 adapter, $3 entity type, $4 entity, $5 external type, $6 external id, $7 field, $8 old, $9 new, $10 rule
-- params: 10
INSERT INTO sync.journal (org_id, adapter, entity_type, entity_id, external_type, external_id, field, old, new, rule)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);
