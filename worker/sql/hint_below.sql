-- params: 5
-- Records that the whole list below their parent did not show are owed a look. $1 org, $2 adapter, $3 type, $4 parent (Type/id),
-- $5 ids that it showed.
INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason)
SELECT $1, $2, 'in', $3, l.external_id, 'missing' FROM sync.external_link l
WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.kind = 'edge' AND l.link_metadata ->> 'parent' = $4
    AND l.state NOT IN ('deleted', 'merged_into', 'unlinked')
    AND NOT EXISTS (SELECT FROM (SELECT unnest($5::text[]) AS ext OFFSET 0) i WHERE i.ext = l.external_id)
ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE
    SET gen = w.gen + 1, reason = 'missing',
        state = CASE WHEN w.state IN ('ready', 'leased') THEN w.state ELSE 'ready' END,
        due_at = CASE WHEN w.state IN ('ready', 'leased') THEN w.due_at ELSE now() END,
        attempts = CASE WHEN w.state = 'dead' THEN 0 ELSE w.attempts END
