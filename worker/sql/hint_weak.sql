-- params: 4
-- Records that are read with permits nobody else wants: a row per living parent. $1 org, $2 adapter, $3 type, $4 parent type.
INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason, priority)
SELECT $1, $2, 'in', $3, '@' || l.external_id, 'list', 1 FROM sync.external_link l
WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $4 AND l.state IN ('linked', 'unmatched', 'ambiguous')
ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE SET gen = w.gen + 1,
    state = CASE WHEN w.state = 'dead' THEN 'ready' ELSE w.state END
