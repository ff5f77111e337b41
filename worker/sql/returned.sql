-- params: 3
-- Entities that came back: records that tell of edges with them. $1 org, $2 adapter, $3 entity ids. Gives type, id.
WITH g AS MATERIALIZED (
    SELECT "sourceEntityId" AS s, "targetEntityId" AS t, "relationshipType" AS r FROM public.openfaith_edges
    WHERE "orgId" = $1 AND "sourceEntityId" = ANY ($3::text[]) AND "deletedAt" IS NOT NULL
    UNION
    SELECT "sourceEntityId", "targetEntityId", "relationshipType" FROM public.openfaith_edges
    WHERE "orgId" = $1 AND "targetEntityId" = ANY ($3::text[]) AND "deletedAt" IS NOT NULL
)
SELECT v.external_type, v.external_id FROM (SELECT s AS eid FROM g UNION SELECT t FROM g) n
CROSS JOIN LATERAL (SELECT v.external_type, v.external_id FROM (SELECT * FROM sync.external_link v WHERE v.entity_id = n.eid
    AND v.org_id = $1 AND v.kind = 'entity' AND v.state = 'linked' OFFSET 0) v WHERE v.adapter = $2) v
WHERE n.eid <> ALL ($3::text[])
UNION
SELECT v.external_type, v.external_id FROM g CROSS JOIN LATERAL (SELECT v.external_type, v.external_id FROM sync.external_link v
    WHERE v.org_id = $1 AND v.adapter = $2 AND v.entity_id = g.s || '|' || g.t || '|' || g.r AND v.kind = 'edge'
    AND v.state = 'linked' OFFSET 0) v
