-- params: 6
-- What OpenFaith says of relations to one: $1 org, $2 adapter; a row per question: $3 own entity ids, $4 relationship types, $5 the
-- record is the edge's source, $6 external type of the other end. Gives number of the question, the other ends of living edges
-- (Type/id, '-' for one that is not linked; comma), when somebody here last touched one of them (us).
SELECT x.n, string_agg(coalesce(x.t || '/' || l.external_id, '-'), ',' ORDER BY l.external_id) FILTER (WHERE g."deletedAt" IS NULL),
    (extract(epoch FROM max(greatest(g."createdAt", g."updatedAt", g."deletedAt"))
        FILTER (WHERE coalesce(CASE WHEN g."deletedAt" IS NOT NULL THEN g."deletedBy" END, g."updatedBy", g."createdBy", '')
            NOT LIKE 'sync:%')) * 1000000)::bigint
FROM unnest($3::text[], $4::text[], $5::boolean[], $6::text[]) WITH ORDINALITY AS x (eid, rtype, self, t, n)
CROSS JOIN LATERAL (
    SELECT e."targetEntityId" AS other, e.* FROM public.openfaith_edges e
    WHERE x.self AND e."sourceEntityId" = x.eid AND e."orgId" || '' = $1 AND e."relationshipType" || '' = x.rtype
    UNION ALL
    SELECT e."sourceEntityId", e.* FROM public.openfaith_edges e
    WHERE NOT x.self AND e."targetEntityId" = x.eid AND e."orgId" || '' = $1 AND e."relationshipType" || '' = x.rtype
) g
LEFT JOIN LATERAL (SELECT l.external_id FROM sync.external_link l WHERE l.entity_id = g.other AND l.org_id = $1 AND l.adapter = $2
    AND l.external_type = x.t AND l.kind = 'entity' AND l.state = 'linked' LIMIT 1) l ON true
GROUP BY x.n
ORDER BY x.n
