-- params: 3
-- Edges whose membership record is gone. $1 org, $2 edge keys (source|target|type), $3 by.
UPDATE public.openfaith_edges SET "deletedAt" = now(), "deletedBy" = $3
WHERE "orgId" = $1 AND "deletedAt" IS NULL
    AND ("sourceEntityId", "targetEntityId", "relationshipType")
        IN (SELECT split_part(k, '|', 1), split_part(k, '|', 2), split_part(k, '|', 3) FROM unnest($2::text[]) k)
