-- params: 8
-- A value that they did not take. $1 org, $2 adapter, $3 external type, $4 entity tag, $5 external id, $6 entity id, $7 field,
-- $8 what both sides say. A question that is open already is asked with the values of now.
INSERT INTO sync.review (org_id, adapter, kind, external_type, external_id, entity_type, entity_id, field, detail, link_rev)
VALUES ($1, $2, 'conflict', $3, $5, $4, $6, $7, $8, (SELECT l.rev FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2
    AND l.external_type = $3 AND l.external_id = $5))
ON CONFLICT (org_id, adapter, kind, external_type, external_id, field) WHERE state = 'open'
    DO UPDATE SET detail = excluded.detail, link_rev = excluded.link_rev
