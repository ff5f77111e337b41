-- The links of an entity. $1 org, $2 adapter, $3 entity, $4 external type (null: any) -> type, external id, state
-- params: 4
SELECT l.external_type, l.external_id, l.state FROM sync.external_link l
WHERE l.org_id = $1 AND l.adapter = $2 AND l.entity_id = $3 AND l.kind = 'entity' AND ($4::text IS NULL OR l.external_type = $4)
ORDER BY l.state = 'linked' DESC, l.external_type, l.external_id;
