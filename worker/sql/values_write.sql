-- params: 4
-- Custom fields of people. $1 org, $2 person ids, $3 customFields, $4 by.
UPDATE public.openfaith_people e SET "customFields" = x.c,
    "updatedAt" = CASE WHEN e."updatedBy" LIKE 'sync:%' THEN e."updatedAt" ELSE now() END,
    "updatedBy" = $4
FROM unnest($2::text[], $3::jsonb[]) AS x (id, c) WHERE e.id = ANY ($2) AND e.id = x.id AND e."orgId" = $1
