-- params: 5
-- Audit: these are alive. $1 org, $2 adapter, $3 type, $4 ids, $5 mark. Gives the ids that are not known here.
WITH k AS MATERIALIZED (
    SELECT i.ext, l.id, l.kind, l.state FROM unnest($4::text[]) AS i (ext)
    LEFT JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.external_id = i.ext LIMIT 1) l ON true
), u AS (
    INSERT INTO sync.external_link AS l (org_id, adapter, external_type, external_id, id, kind)
    SELECT DISTINCT $1, $2, $3, k.ext, k.id, k.kind FROM k WHERE k.id IS NOT NULL
    ON CONFLICT (org_id, adapter, external_type, external_id) DO UPDATE SET seen_run = $5 WHERE l.seen_run IS DISTINCT FROM $5
)
SELECT k.ext FROM k WHERE k.id IS NULL OR k.state = 'deleted'
