-- params: 3
-- Entities that belong to another by an edge. $1 org, $2 relationship type, $3 the other.
SELECT "targetEntityId" FROM public.openfaith_edges
WHERE "sourceEntityId" = $3 AND "orgId" = $1 AND "relationshipType" = $2 AND "deletedAt" IS NULL
UNION
SELECT "sourceEntityId" FROM public.openfaith_edges
WHERE "targetEntityId" = $3 AND "orgId" = $1 AND "relationshipType" = $2 AND "deletedAt" IS NULL
ORDER BY 1
