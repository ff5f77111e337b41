-- params: 6
-- Relations that theirs has no longer. $1 org, $2 adapter, $3 by; a row per edge: $4 own entity ids, $5 relationship types,
-- $6 what the other end was (Type/id).
UPDATE public.openfaith_edges g SET "deletedAt" = now(), "deletedBy" = $3
FROM unnest($4::text[], $5::text[], $6::text[]) AS x (eid, rtype, ref)
JOIN sync.external_link t ON t.org_id = $1 AND t.adapter = $2 AND t.external_type = split_part(x.ref, '/', 1)
    AND t.external_id = split_part(x.ref, '/', 2) AND t.entity_id IS NOT NULL
WHERE g."orgId" = $1 AND g."relationshipType" = x.rtype AND g."deletedAt" IS NULL
    AND ((g."sourceEntityId" = x.eid AND g."targetEntityId" = t.entity_id)
      OR (g."targetEntityId" = x.eid AND g."sourceEntityId" = t.entity_id))
