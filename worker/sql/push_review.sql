-- params: 8
-- Something of ours waits for a person. $1 org, $2 adapter, $3 kind, $4 external type, $5 external id, $6 entity tag, $7 entity id,
-- $8 detail. Once.
INSERT INTO sync.review (org_id, adapter, kind, external_type, external_id, entity_type, entity_id, detail, link_rev)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, (SELECT l.rev FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2
    AND l.external_type = $4 AND l.external_id = $5)
WHERE $3 <> 'delete' OR NOT EXISTS (SELECT FROM sync.review r WHERE r.org_id = $1 AND r.adapter = $2 AND r.kind = $3
    AND r.external_type = $4 AND r.external_id = $5 AND r.state = 'rejected')
ON CONFLICT (org_id, adapter, kind, external_type, external_id, field) WHERE state = 'open' DO NOTHING
