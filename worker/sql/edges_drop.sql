-- params: 6
-- Relations that theirs has no longer. $1 org, $2 adapter, $3 by; a row per edge: $4 own entity ids, $5 relationship types,
-- $6 what the other end was (Type/id).
WITH x AS MATERIALIZED (
    SELECT * FROM unnest($4::text[], $5::text[], $6::text[]) AS x (eid, rtype, ref)
), t AS MATERIALIZED (
    SELECT t.external_type || '/' || t.external_id AS ref, t.entity_id FROM sync.external_link t
    WHERE t.org_id = $1 AND t.adapter = $2 AND t.entity_id IS NOT NULL
        AND t.external_type = ANY (ARRAY(SELECT split_part(ref, '/', 1) FROM x))
        AND t.external_id = ANY (ARRAY(SELECT split_part(ref, '/', 2) FROM x))
), k AS MATERIALIZED ( -- both directions: only one of them can be there
    SELECT x.eid AS s, t.entity_id AS e, x.rtype FROM x JOIN t ON t.ref = x.ref
    UNION SELECT t.entity_id, x.eid, x.rtype FROM x JOIN t ON t.ref = x.ref
)
UPDATE public.openfaith_edges g SET "deletedAt" = now(), "deletedBy" = $3
FROM k WHERE g."orgId" = $1 AND g."sourceEntityId" = ANY (ARRAY(SELECT s FROM k)) AND g."sourceEntityId" = k.s
    AND g."targetEntityId" = k.e AND g."relationshipType" = k.rtype AND g."deletedAt" IS NULL
