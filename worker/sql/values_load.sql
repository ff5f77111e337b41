-- params: 5
-- Everything that decides the custom fields of some people: for the people whose value records are among $4, all their living
-- value records of the type. $1 org, $2 adapter, $3 type, $4 ids, $5 key of the relation to the definition. Field definitions that
-- are not linked give no row.
-- Gives person, customFields, field key, data type, staged value, seen value, deleted, external id, value agreed on, what stays agreed
-- if ours stands, the person's last change, their updated_at (us), the run that brought it brought the person too.
-- What theirs says now and a push of ours sent whose answer was lost (_sent) is no change of theirs.
-- People locked in id order.
WITH p AS MATERIALIZED (
    SELECT e.id, e."customFields", jsonb_build_object('updatedAt', e."updatedAt", 'updatedBy', e."updatedBy",
        'createdAt', e."createdAt", 'createdBy', e."createdBy") AS last FROM public.openfaith_people e
    WHERE e."orgId" = $1 AND e.id = ANY (ARRAY(SELECT l.entity_id FROM unnest($4::text[]) AS i (ext)
        CROSS JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.external_id = i.ext LIMIT 1) l
        WHERE l.entity_id IS NOT NULL))
    ORDER BY e.id FOR NO KEY UPDATE
), b AS MATERIALIZED (
    SELECT p.id, p."customFields", p.last, l.external_id, l.state, b.staged ->> 'value' AS staged,
        CASE WHEN x.ours THEN b.staged ->> 'value' ELSE b.seen ->> 'value' END AS seen,
        coalesce(b.staged, b.seen) -> '_rel' ->> $5 AS ref,
        CASE WHEN x.ours THEN b.staged ->> 'value' WHEN b.agreed ? 'value' THEN b.agreed ->> 'value' ELSE b.seen ->> 'value' END AS agreed,
        CASE WHEN x.ours THEN jsonb_build_object('value', b.staged -> 'value') WHEN b.agreed ? 'value' THEN b.agreed - '_sent'
            WHEN b.seen ? 'value' THEN jsonb_build_object('value', b.seen -> 'value') END AS kept,
        l.external_updated_at AS updated, l.run_id
    FROM p CROSS JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2
        AND l.entity_id = p.id AND l.kind = 'value' OFFSET 0) l
    CROSS JOIN LATERAL (SELECT * FROM sync.base b WHERE b.org_id = $1 AND b.link_id = l.id LIMIT 1) b
    CROSS JOIN LATERAL (SELECT coalesce(b.staged -> 'value' = b.agreed -> '_sent' -> 'value', false) AS ours) x
    WHERE l.external_type = $3
), d AS MATERIALIZED (
    SELECT r.ref, d.entity_id FROM (SELECT DISTINCT ref FROM b) r CROSS JOIN LATERAL (SELECT t.entity_id, t.state FROM sync.external_link t WHERE t.org_id = $1 AND t.adapter = $2
        AND t.external_type = split_part(r.ref, '/', 1) AND t.external_id = split_part(r.ref, '/', 2) LIMIT 1) d
    WHERE d.state = 'linked'
)
SELECT b.id, b."customFields", f.key, f.type, b.staged, b.seen, b.state = 'deleted', b.external_id, b.agreed, b.kept, b.last,
    (extract(epoch FROM b.updated) * 1000000)::bigint, coalesce(b.run_id = t.run_id, false)
FROM b JOIN d ON d.ref = b.ref
JOIN public.openfaith_fields f ON f.id = ANY (ARRAY(SELECT entity_id FROM d)) AND f.id = d.entity_id
LEFT JOIN LATERAL (SELECT t.run_id FROM (SELECT * FROM sync.external_link t WHERE t.entity_id = b.id AND t.org_id = $1
    AND t.kind = 'entity' AND t.state = 'linked' OFFSET 0) t WHERE t.adapter = $2 LIMIT 1) t ON b.run_id IS NOT NULL
ORDER BY b.id, f.key, length(b.external_id), b.external_id
