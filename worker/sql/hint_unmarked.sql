-- params: 6
-- What the second listing did not show is owed a look: a suspicion (missing_since), never a deletion. A share of more than 1/$6 of
-- the type (and more than $5 records) waits for a person instead. $1 org, $2 adapter, $3 type, $4 mark.
WITH m AS (
    SELECT l.external_id, count(*) OVER () AS missing
    FROM sync.external_link l
    WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.seen_run IS DISTINCT FROM $4
        AND l.state NOT IN ('deleted', 'merged_into', 'unlinked')
), living AS (
    SELECT count(*) AS n FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.state NOT IN ('deleted', 'merged_into', 'unlinked')
), s AS (
    UPDATE sync.external_link l SET missing_since = coalesce(l.missing_since, now()) FROM m
    WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = m.external_id
), r AS (
    INSERT INTO sync.review (org_id, adapter, kind, external_type, external_id, detail)
    SELECT $1, $2, 'delete', $3, '', jsonb_build_object('missing', max(m.missing), 'of', max(living.n))
    FROM m, living WHERE m.missing > $5 AND m.missing * $6 > living.n HAVING count(*) > 0
    ON CONFLICT (org_id, adapter, kind, external_type, external_id, field) WHERE state = 'open' DO UPDATE SET detail = excluded.detail
)
INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason)
SELECT $1, $2, 'in', $3, m.external_id, 'missing' FROM m, living WHERE NOT (m.missing > $5 AND m.missing * $6 > living.n)
ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE
    SET gen = w.gen + 1, reason = 'missing',
        state = CASE WHEN w.state IN ('ready', 'leased') THEN w.state ELSE 'ready' END,
        due_at = CASE WHEN w.state IN ('ready', 'leased') THEN w.due_at ELSE now() END,
        attempts = CASE WHEN w.state = 'dead' THEN 0 ELSE w.attempts END
