-- params: 4
-- People who did not come from there, by id. $1 org, $2 adapter, $3 after, $4 how many.
SELECT id FROM public.openfaith_people
WHERE "orgId" = $1 AND id > $3 AND "deletedAt" IS NULL AND "createdBy" IS DISTINCT FROM 'sync:' || $2
ORDER BY id LIMIT $4
