-- params: 5
-- Records here differ from theirs by our own decision: they are owed to them. $1 org, $2 adapter, $3 record type of the way out,
-- $4 ids, $5 reason.
INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason)
SELECT DISTINCT $1, $2, 'out', $3, i.id, $5 FROM unnest($4::text[]) AS i (id) ORDER BY 5
ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE
    SET gen = w.gen + 1,
        state = CASE WHEN w.state = 'dead' OR (w.state = 'parked' AND w.waits_for LIKE 'out:%') THEN 'ready' ELSE w.state END,
        due_at = CASE WHEN w.state = 'dead' OR (w.state = 'parked' AND w.waits_for LIKE 'out:%') THEN now() ELSE w.due_at END,
        attempts = CASE WHEN w.state = 'dead' THEN 0 ELSE w.attempts END
