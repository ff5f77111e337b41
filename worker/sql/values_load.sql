-- params: 5
-- Everything that decides the custom fields of some people: for the people whose value records are among $4, all their living
-- value records of the type. $1 org, $2 adapter, $3 type, $4 ids, $5 key of the relation to the definition. Field definitions that are not linked give no row.
-- Gives person, customFields, field key, data type, staged value, seen value, deleted, external id. People locked in id order.
WITH p AS (
    SELECT e.id, e."customFields" FROM public.openfaith_people e
    WHERE e."orgId" = $1 AND e.id IN (SELECT l.entity_id FROM sync.external_link l
        WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = ANY ($4) AND l.entity_id IS NOT NULL)
    ORDER BY e.id FOR NO KEY UPDATE
)
SELECT p.id, p."customFields", f.key, f.type, b.staged ->> 'value', b.seen ->> 'value', l.state = 'deleted', l.external_id
FROM p JOIN sync.external_link l ON l.org_id = $1 AND l.adapter = $2 AND l.entity_id = p.id AND l.kind = 'value'
    AND l.external_type = $3
JOIN sync.base b ON b.org_id = $1 AND b.link_id = l.id
JOIN sync.external_link d ON d.org_id = $1 AND d.adapter = $2
    AND d.external_type = split_part(coalesce(b.staged, b.seen) -> '_rel' ->> $5, '/', 1)
    AND d.external_id = split_part(coalesce(b.staged, b.seen) -> '_rel' ->> $5, '/', 2) AND d.state = 'linked'
JOIN public.openfaith_fields f ON f.id = d.entity_id
ORDER BY p.id, f.key, length(l.external_id), l.external_id
