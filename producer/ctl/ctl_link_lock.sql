-- A link, held. $1 org, $2 adapter, $3 type, $4 external id -> state, entity, rev, id, seen, agreed, staged
-- params: 4
SELECT l.state, l.entity_id, l.rev, l.id, b.seen, b.agreed, b.staged
FROM sync.external_link l LEFT JOIN sync.base b ON b.org_id = l.org_id AND b.link_id = l.id
WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = $4
FOR UPDATE OF l;
