-- params: 6
-- Relations that theirs has no longer. $1 org, $2 adapter, $3 by; a row per edge: $4 own entity ids, $5 relationship types,
-- $6 what the other end was (Type/id).
WITH x AS MATERIALIZED (
    SELECT * FROM unnest($4::text[], $5::text[], $6::text[]) AS x (eid, rtype, ref)
), k AS MATERIALIZED ( -- both directions: only one of them can be there
    SELECT x.eid AS s, t.entity_id AS e, x.rtype FROM x CROSS JOIN LATERAL (SELECT t.entity_id, t.state FROM sync.external_link t WHERE t.org_id = $1 AND t.adapter = $2
        AND t.external_type = split_part(x.ref, '/', 1) AND t.external_id = split_part(x.ref, '/', 2) LIMIT 1) t
    UNION SELECT t.entity_id, x.eid, x.rtype FROM x CROSS JOIN LATERAL (SELECT t.entity_id, t.state FROM sync.external_link t WHERE t.org_id = $1 AND t.adapter = $2
        AND t.external_type = split_part(x.ref, '/', 1) AND t.external_id = split_part(x.ref, '/', 2) LIMIT 1) t
)
UPDATE public.openfaith_edges g SET "deletedAt" = now(), "deletedBy" = $3
FROM k WHERE g."orgId" = $1 AND g."sourceEntityId" = ANY (ARRAY(SELECT s FROM k)) AND g."sourceEntityId" = k.s
    AND g."targetEntityId" = k.e AND g."relationshipType" = k.rtype AND g."deletedAt" IS NULL
