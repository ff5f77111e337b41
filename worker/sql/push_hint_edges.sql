-- params: 7
-- Edges that are records there and have none: hinted, by their key. $1 org, $2 adapter, $3 source and $4 target after which, $5 how many,
-- $6 relationship type, $7 external type. What came from there is left out. Gives looked at, last key, hinted.
WITH x AS MATERIALIZED (
    SELECT e."sourceEntityId" AS s, e."targetEntityId" AS t, e."createdBy" AS by, e."deletedAt" AS gone
    FROM public.openfaith_edges e
    WHERE e."orgId" = $1 AND e."relationshipType" = $6 AND (e."sourceEntityId", e."targetEntityId") > ($3, $4)
    ORDER BY e."orgId", e."sourceEntityId", e."targetEntityId" LIMIT $5
), i AS (
    INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason)
    SELECT $1, $2, 'out', $7, x.s || '|' || x.t || '|' || $6, 'push' FROM x
    WHERE x.gone IS NULL AND x.by IS DISTINCT FROM 'sync:' || $2
        AND NOT EXISTS (SELECT FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2
            AND l.entity_id = x.s || '|' || x.t || '|' || $6 AND l.kind = 'edge' AND l.state = 'linked')
    ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE SET gen = w.gen + 1
    RETURNING 1
)
SELECT (SELECT count(*) FROM x), (SELECT s || '|' || t FROM x ORDER BY s DESC, t DESC LIMIT 1), (SELECT count(*) FROM i)
