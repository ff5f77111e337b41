-- params: 3
-- This transaction writes edges of these entities: it is our own write for whatever stands at their ends, and for records that are
-- such edges. $1 org, $2 adapter, $3 entity ids.
WITH g AS MATERIALIZED (
    SELECT "sourceEntityId" AS s, "targetEntityId" AS t, "relationshipType" AS r FROM public.openfaith_edges
    WHERE "orgId" = $1 AND "sourceEntityId" = ANY ($3::text[])
    UNION
    SELECT "sourceEntityId", "targetEntityId", "relationshipType" FROM public.openfaith_edges
    WHERE "orgId" = $1 AND "targetEntityId" = ANY ($3::text[])
), o AS MATERIALIZED (
    SELECT v.id FROM (SELECT s AS eid FROM g UNION SELECT t FROM g) n
    CROSS JOIN LATERAL (SELECT v.id FROM (SELECT * FROM sync.external_link v WHERE v.entity_id = n.eid AND v.org_id = $1
        AND v.kind = 'entity' AND v.state = 'linked' OFFSET 0) v WHERE v.adapter = $2) v
    UNION
    SELECT v.id FROM g CROSS JOIN LATERAL (SELECT v.id FROM sync.external_link v WHERE v.org_id = $1 AND v.adapter = $2
        AND v.entity_id = g.s || '|' || g.t || '|' || g.r AND v.kind = 'edge' OFFSET 0) v
)
INSERT INTO sync.base AS b (org_id, link_id) SELECT $1, o.id FROM o ORDER BY 2
ON CONFLICT (org_id, link_id) DO UPDATE SET write_xid = pg_current_xact_id()
