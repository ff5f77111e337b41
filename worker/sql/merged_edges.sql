-- params: 8
-- Edges of the removed entity move to the kept one: direction by the alpha pattern (same prefix: the smaller id is the source),
-- edges to itself are dropped. $1 org, $2 removed, $3 kept, $4 by, $5 relationships that a record says of itself: not moved,
-- $6 adapter, $7 types whose records are edges, made from here too, $8 their relationships.
-- One of those that had no record there yet (a person was put into a group, and the merge came before that was sent) is owed to them.
WITH m AS MATERIALIZED (
    SELECT DISTINCT ON (src, tgt, "relationshipType") o.*
    FROM (
        SELECT g."relationshipType", g.metadata, g."sourceEntityId" || '|' || g."targetEntityId" || '|' || g."relationshipType" AS old,
            CASE WHEN swap THEN g."targetEntityTypeTag" ELSE g."sourceEntityTypeTag" END AS stag,
            CASE WHEN swap THEN g."sourceEntityTypeTag" ELSE g."targetEntityTypeTag" END AS ttag,
            CASE WHEN swap THEN n.t ELSE n.s END AS src, CASE WHEN swap THEN n.s ELSE n.t END AS tgt
        FROM public.openfaith_edges g CROSS JOIN LATERAL (SELECT
            CASE WHEN g."sourceEntityId" = $2 THEN $3 ELSE g."sourceEntityId" END AS s,
            CASE WHEN g."targetEntityId" = $2 THEN $3 ELSE g."targetEntityId" END AS t) n
        CROSS JOIN LATERAL (SELECT n.s > n.t AND split_part(n.s, '_', 1) = split_part(n.t, '_', 1) AS swap) w
        WHERE g."orgId" = $1 AND (g."sourceEntityId" = $2 OR g."targetEntityId" = $2) AND g."deletedAt" IS NULL
            AND g."relationshipType" <> 'merged' AND g."relationshipType" <> ALL ($5::text[])
    ) o WHERE src <> tgt
), moved AS (
    INSERT INTO public.openfaith_edges AS e ("orgId", "sourceEntityId", "sourceEntityTypeTag", "targetEntityId",
        "targetEntityTypeTag", "relationshipType", metadata, "createdAt", "createdBy")
    SELECT $1, src, stag, tgt, ttag, "relationshipType", metadata, now(), $4 FROM m
    ON CONFLICT ("orgId", "sourceEntityId", "targetEntityId", "relationshipType") DO UPDATE
        SET "deletedAt" = NULL, "deletedBy" = NULL, "updatedAt" = now(), "updatedBy" = $4 WHERE e."deletedAt" IS NOT NULL
    RETURNING "sourceEntityId" AS src, "targetEntityId" AS tgt, "relationshipType" AS rtype
)
INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason)
SELECT DISTINCT $1, $6, 'out', k.type, m.src || '|' || m.tgt || '|' || k.rtype, 'merged'
FROM moved JOIN m ON m.src = moved.src AND m.tgt = moved.tgt AND m."relationshipType" = moved.rtype
JOIN unnest($7::text[], $8::text[]) AS k (type, rtype) ON k.rtype = moved.rtype
WHERE m.metadata ->> 'source' IS DISTINCT FROM $6 || '_direct' AND NOT EXISTS (SELECT FROM sync.external_link v
    WHERE v.org_id = $1 AND v.adapter = $6 AND v.entity_id = m.old AND v.kind = 'edge' AND v.state = 'linked')
ORDER BY 4, 5
ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE
    SET gen = w.gen + 1,
        state = CASE WHEN w.state = 'dead' OR (w.state = 'parked' AND w.waits_for LIKE 'out:%') THEN 'ready' ELSE w.state END,
        due_at = CASE WHEN w.state = 'dead' OR (w.state = 'parked' AND w.waits_for LIKE 'out:%') THEN now() ELSE w.due_at END,
        attempts = CASE WHEN w.state = 'dead' THEN 0 ELSE w.attempts END
