-- params: 5
-- Everything that decides the custom fields of some people: for the people whose value records are among $4, all their living
-- value records of the type. $1 org, $2 adapter, $3 type, $4 ids, $5 key of the relation to the definition. Field definitions that
-- are not linked give no row.
-- Gives person, customFields, field key, data type, staged value, seen value, deleted, external id. People locked in id order.
WITH p AS MATERIALIZED (
    SELECT e.id, e."customFields" FROM public.openfaith_people e
    WHERE e."orgId" = $1 AND e.id = ANY (ARRAY(SELECT l.entity_id FROM sync.external_link l
        WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = ANY ($4::text[])
            AND l.entity_id IS NOT NULL))
    ORDER BY e.id FOR NO KEY UPDATE
), l AS MATERIALIZED (
    SELECT l.id, l.external_id, l.entity_id, l.state FROM sync.external_link l
    WHERE l.org_id = $1 AND l.adapter = $2 AND l.entity_id = ANY (ARRAY(SELECT id FROM p)) AND l.kind = 'value'
        AND l.external_type = $3
), b AS MATERIALIZED (
    SELECT l.external_id, l.entity_id, l.state, b.staged ->> 'value' AS staged, b.seen ->> 'value' AS seen,
        coalesce(b.staged, b.seen) -> '_rel' ->> $5 AS ref
    FROM l JOIN sync.base b ON b.org_id = $1 AND b.link_id = ANY (ARRAY(SELECT id FROM l)) AND b.link_id = l.id
), d AS MATERIALIZED (
    SELECT d.external_type || '/' || d.external_id AS ref, d.entity_id FROM sync.external_link d
    WHERE d.org_id = $1 AND d.adapter = $2 AND d.state = 'linked'
        AND d.external_type = ANY (ARRAY(SELECT DISTINCT split_part(ref, '/', 1) FROM b))
        AND d.external_id = ANY (ARRAY(SELECT DISTINCT split_part(ref, '/', 2) FROM b))
)
SELECT p.id, p."customFields", f.key, f.type, b.staged, b.seen, b.state = 'deleted', b.external_id
FROM p JOIN b ON b.entity_id = p.id JOIN d ON d.ref = b.ref
JOIN public.openfaith_fields f ON f.id = ANY (ARRAY(SELECT entity_id FROM d)) AND f.id = d.entity_id
ORDER BY p.id, f.key, length(b.external_id), b.external_id
