-- params: 6
-- Edges of the removed entity move to the kept one: direction by the alpha pattern (same prefix: the smaller id is the source),
-- edges to itself are dropped. $1 org, $2 removed, $3 kept, $4 by, $5 relationships that a record says of itself: not moved, $6 adapter.
-- Gives relationship and key of those that had no record there yet (a person was put into a group, and the merge came before that was
-- sent): they are owed to them.
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
SELECT moved.rtype, m.src || '|' || m.tgt || '|' || moved.rtype
FROM moved JOIN m ON m.src = moved.src AND m.tgt = moved.tgt AND m."relationshipType" = moved.rtype
WHERE m.metadata ->> 'source' IS DISTINCT FROM $6 || '_direct' AND NOT EXISTS (SELECT FROM sync.external_link v
    WHERE v.org_id = $1 AND v.adapter = $6 AND v.entity_id = m.old AND v.kind = 'edge' AND v.state = 'linked')
