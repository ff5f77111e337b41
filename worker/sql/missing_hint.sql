-- params: 4
-- What a list did not show is under suspicion from now on, and owed a look. $1 org, $2 adapter, $3 type, $4 ids.
WITH k AS MATERIALIZED (
    SELECT l.* FROM (SELECT DISTINCT unnest($4::text[]) AS ext) i
    CROSS JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.external_id = i.ext LIMIT 1) l
), s AS (
    INSERT INTO sync.external_link AS l (org_id, adapter, external_type, external_id, id, kind)
    SELECT $1, $2, $3, k.external_id, k.id, k.kind FROM k
    ON CONFLICT (org_id, adapter, external_type, external_id) DO UPDATE SET missing_since = now() WHERE l.missing_since IS NULL
)
INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason)
SELECT $1, $2, 'in', $3, k.external_id, 'missing' FROM k ORDER BY 5
ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE
    SET gen = w.gen + 1, reason = CASE WHEN w.reason = 'second look' THEN w.reason ELSE 'missing' END,
        state = CASE WHEN w.state IN ('ready', 'leased') OR w.reason = 'second look' THEN w.state ELSE 'ready' END,
        due_at = CASE WHEN w.state IN ('ready', 'leased') OR w.reason = 'second look' THEN w.due_at ELSE now() END,
        attempts = CASE WHEN w.state = 'dead' THEN 0 ELSE w.attempts END
