-- params: 5
-- Edges of the removed entity move to the kept one: direction by the alpha pattern (same prefix: the smaller id is the source),
-- edges to itself are dropped. $1 org, $2 removed, $3 kept, $4 by, $5 relationships that a record says of itself: not moved.
INSERT INTO public.openfaith_edges AS e ("orgId", "sourceEntityId", "sourceEntityTypeTag", "targetEntityId", "targetEntityTypeTag",
    "relationshipType", metadata, "createdAt", "createdBy")
SELECT DISTINCT ON (src, tgt, "relationshipType") $1, src, CASE WHEN swap THEN ttag ELSE stag END, tgt,
    CASE WHEN swap THEN stag ELSE ttag END, "relationshipType", metadata, now(), $4
FROM (
    SELECT g.*, g."sourceEntityTypeTag" AS stag, g."targetEntityTypeTag" AS ttag, n.s > n.t AND split_part(n.s, '_', 1) = split_part(n.t, '_', 1) AS swap,
        CASE WHEN n.s > n.t AND split_part(n.s, '_', 1) = split_part(n.t, '_', 1) THEN n.t ELSE n.s END AS src,
        CASE WHEN n.s > n.t AND split_part(n.s, '_', 1) = split_part(n.t, '_', 1) THEN n.s ELSE n.t END AS tgt
    FROM public.openfaith_edges g CROSS JOIN LATERAL (SELECT
        CASE WHEN g."sourceEntityId" = $2 THEN $3 ELSE g."sourceEntityId" END AS s,
        CASE WHEN g."targetEntityId" = $2 THEN $3 ELSE g."targetEntityId" END AS t) n
    WHERE g."orgId" = $1 AND (g."sourceEntityId" = $2 OR g."targetEntityId" = $2) AND g."deletedAt" IS NULL
        AND g."relationshipType" <> 'merged' AND g."relationshipType" <> ALL ($5::text[])
) m WHERE src <> tgt
ON CONFLICT ("orgId", "sourceEntityId", "targetEntityId", "relationshipType") DO UPDATE
    SET "deletedAt" = NULL, "deletedBy" = NULL, "updatedAt" = now(), "updatedBy" = $4 WHERE e."deletedAt" IS NOT NULL
