-- params: 4
-- Other ends of an entity's edges, the newest first. $1 org, $2 adapter, $3 entity id, $4 relationship types. Gives relationship type,
-- entity id, tag, external type and id of its link (null: not linked), w: it is on its way there, s: it is stuck on it
-- (null: neither). Edges and links are found by entity, the rest is compared behind OFFSET 0: as in hint_out.sql.
SELECT g.t, g.other, g.tag, l.external_type, l.external_id,
    CASE WHEN l.external_id IS NULL THEN (SELECT CASE WHEN w.state IN ('parked', 'dead') THEN 's' ELSE 'w' END FROM sync.work w
        WHERE w.org_id = $1 AND w.adapter = $2 AND w.direction = 'out' AND w.record_type = g.tag AND w.record_id = g.other) END
FROM (
    SELECT e."relationshipType" AS t, e."targetEntityId" AS other, e."targetEntityTypeTag" AS tag,
        coalesce(e."updatedAt", e."createdAt") AS at
    FROM (SELECT * FROM public.openfaith_edges e WHERE e."sourceEntityId" = $3 OFFSET 0) e
    WHERE e."orgId" = $1 AND e."relationshipType" = ANY ($4) AND e."deletedAt" IS NULL
    UNION ALL
    SELECT e."relationshipType", e."sourceEntityId", e."sourceEntityTypeTag", coalesce(e."updatedAt", e."createdAt")
    FROM (SELECT * FROM public.openfaith_edges e WHERE e."targetEntityId" = $3 OFFSET 0) e
    WHERE e."orgId" = $1 AND e."relationshipType" = ANY ($4) AND e."deletedAt" IS NULL
) g
LEFT JOIN LATERAL (SELECT l.external_type, l.external_id FROM (SELECT * FROM sync.external_link l WHERE l.entity_id = g.other
    AND l.org_id = $1 AND l.kind = 'entity' AND l.state = 'linked' OFFSET 0) l WHERE l.adapter = $2) l ON true
ORDER BY g.t, g.at DESC, g.other
