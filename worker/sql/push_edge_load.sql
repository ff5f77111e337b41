-- params: 6
-- An edge that may be a record there. $1 org, $2 adapter, $3 external type, $4 source, $5 target, $6 relationship type. Always a row:
-- metadata, alive, deletedBy, link id, external id, parent, seen, agreed, out_open.
SELECT e.metadata, e."sourceEntityId" IS NOT NULL AND e."deletedAt" IS NULL, e."deletedBy", l.id, l.external_id,
    l.link_metadata ->> 'parent', b.seen, b.agreed, coalesce(s.out_open, false)
FROM (SELECT 1) one
LEFT JOIN LATERAL (SELECT * FROM public.openfaith_edges e WHERE e."orgId" = $1 AND e."sourceEntityId" = $4
    AND e."targetEntityId" = $5 AND e."relationshipType" = $6 LIMIT 1) e ON true
LEFT JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2
    AND l.entity_id = $4 || '|' || $5 || '|' || $6 AND l.kind = 'edge' AND l.external_type = $3 AND l.state = 'linked' LIMIT 1) l
    ON true
LEFT JOIN LATERAL (SELECT * FROM sync.base b WHERE b.org_id = $1 AND b.link_id = l.id LIMIT 1) b ON true
LEFT JOIN LATERAL (SELECT s.out_open FROM sync.status s WHERE s.org_id = $1 AND s.adapter = $2 AND s.external_type = $3 LIMIT 1) s
    ON true
