-- params: 6
-- The edge `merged` between the removed and the kept entity. $1 org, $2 removed, $3 kept, $4 by, $5 adapter, $6 tag.
INSERT INTO public.openfaith_edges ("orgId", "sourceEntityId", "sourceEntityTypeTag", "targetEntityId", "targetEntityTypeTag",
    "relationshipType", metadata, "createdAt", "createdBy")
VALUES ($1, least($2, $3), $6, greatest($2, $3), $6, 'merged',
    jsonb_build_object('relationshipKey', 'merged', 'source', $5 || '_direct', 'removed', $2, 'kept', $3), now(), $4)
ON CONFLICT ("orgId", "sourceEntityId", "targetEntityId", "relationshipType") DO UPDATE SET "deletedAt" = NULL, "deletedBy" = NULL
