-- params: 5
-- Values of people that are not what was agreed on. $1 org, $2 adapter, $3 external type of values, $4 people, $5 key of the relation
-- to the definition. A field with checkboxes has a record, and so a row, for each value; every other field one.
WITH f AS MATERIALIZED (
    SELECT f.key, f.type, l.external_type || '/' || l.external_id AS ref FROM public.openfaith_fields f
    JOIN LATERAL (SELECT l.external_type, l.external_id FROM (SELECT * FROM sync.external_link l WHERE l.entity_id = f.id
        AND l.org_id = $1 AND l.kind = 'entity' AND l.state = 'linked' OFFSET 0) l WHERE l.adapter = $2 LIMIT 1) l ON true
    WHERE f."orgId" = $1 AND f.source = $2 AND f."deletedAt" IS NULL
), p AS MATERIALIZED (
    SELECT p.id, p."customFields" FROM public.openfaith_people p
    WHERE p.id = ANY ($4) AND p."orgId" = $1 AND p."deletedAt" IS NULL
), ours AS (
    SELECT p.id, f.key, f.type, e ->> 'value' AS value FROM p
    CROSS JOIN LATERAL jsonb_array_elements(p."customFields") e JOIN f ON f.key = e ->> 'name'
    WHERE e ->> 'source' = $2 AND e ->> 'value' IS NOT NULL
), theirs AS (
    SELECT p.id, f.key, f.type, v.value FROM p
    CROSS JOIN LATERAL (SELECT CASE WHEN b.agreed ? 'value' THEN b.agreed ->> 'value' ELSE b.seen ->> 'value' END AS value,
        b.seen -> '_rel' ->> $5 AS ref
        FROM (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.entity_id = p.id
            AND l.kind IN ('edge', 'value') OFFSET 0) l
        CROSS JOIN LATERAL (SELECT * FROM sync.base b WHERE b.org_id = $1 AND b.link_id = l.id LIMIT 1) b
        WHERE l.kind = 'value' AND l.external_type = $3 AND l.state = 'linked') v
    JOIN f ON f.ref = v.ref
    WHERE v.value IS NOT NULL
), d AS (
    (SELECT * FROM ours EXCEPT SELECT * FROM theirs) UNION (SELECT * FROM theirs EXCEPT SELECT * FROM ours)
)
INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason)
SELECT DISTINCT $1, $2, 'out', $3, d.id || '|' || d.key || CASE WHEN d.type = 'checkboxes' THEN '|' || d.value ELSE '' END, 'value'
FROM d
ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE SET gen = w.gen + 1,
    state = CASE WHEN w.state = 'dead' THEN 'ready' ELSE w.state END,
    due_at = CASE WHEN w.state = 'dead' THEN now() ELSE w.due_at END,
    attempts = CASE WHEN w.state = 'dead' THEN 0 ELSE w.attempts END
