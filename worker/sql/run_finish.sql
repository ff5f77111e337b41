-- params: 1
-- Ends the run if nothing of it is left: every phase done, nothing owed for records. $1 run. Run's row locked before.
-- Status becomes active, with the run's first server date less five minutes as the last successful poll; from then on the connection
-- is polled. Reconciliations that it was for are done, and those that waited for its end are due.
WITH r AS (
    UPDATE sync.run r SET state = 'done', finished_at = now()
    WHERE r.id = $1 AND r.state = 'running' AND r.barrier
        AND NOT EXISTS (SELECT FROM sync.phase p WHERE p.run_id = r.id AND p.step NOT IN ('done', 'error'))
        AND NOT EXISTS (SELECT FROM sync.work w WHERE w.org_id = r.org_id AND w.adapter = r.adapter AND w.direction = 'in'
                            AND w.state IN ('ready', 'leased') AND w.priority = 0)
    RETURNING r.id, r.org_id, r.adapter, r.kind, coalesce(r.server_date, r.started_at) - interval '5 minutes' AS polled
), made AS (
    INSERT INTO sync.schedule (org_id, adapter, kind, generation, period_s, due_at)
    SELECT r.org_id, r.adapter, m.kind, c.generation, m.period_s, sync.next_moment(r.org_id, r.adapter, m.kind, m.period_s, now())
    FROM r JOIN sync.connection c ON c.org_id = r.org_id AND c.adapter = r.adapter AND c.state <> 'disconnected',
        (VALUES ('poll', 900), ('reconcile', 86400)) AS m (kind, period_s)
    ON CONFLICT (org_id, adapter, kind) DO NOTHING
), once AS (
    DELETE FROM sync.schedule s USING r
    WHERE s.org_id = r.org_id AND s.adapter = r.adapter AND s.kind LIKE 'ask:reconcile:%' AND s.run_id = r.id AND s.wanted = s.run_wanted
), again AS (
    UPDATE sync.schedule s SET done = CASE WHEN s.run_id = r.id THEN greatest(s.done, s.run_wanted) ELSE s.done END, run_id = NULL,
        due_at = CASE WHEN s.run_id = r.id AND s.wanted = s.run_wanted
                      THEN sync.next_moment(s.org_id, s.adapter, s.kind, s.period_s, now()) ELSE now() END
    FROM r
    WHERE s.org_id = r.org_id AND s.adapter = r.adapter AND s.kind LIKE '%reconcile%' AND s.wanted > s.done
        AND NOT (s.kind LIKE 'ask:%' AND s.run_id IS NOT DISTINCT FROM r.id AND s.wanted = s.run_wanted)
)
UPDATE sync.status s SET state = CASE WHEN p.step = 'error' THEN 'error' ELSE 'active' END,
    error = CASE WHEN p.step = 'error' THEN p.error ELSE s.error END,
    processed = CASE WHEN r.kind = 'reconcile' OR p.total IS NULL THEN s.processed ELSE p.processed END,
    total = CASE WHEN r.kind = 'reconcile' OR p.total IS NULL THEN s.total ELSE p.total END,
    last_successful_poll = CASE WHEN p.step = 'error' THEN s.last_successful_poll
                                ELSE greatest(s.last_successful_poll, r.polled) END, updated_at = now()
FROM r JOIN sync.phase p ON p.run_id = r.id
WHERE s.org_id = r.org_id AND s.adapter = r.adapter AND s.external_type = p.external_type
RETURNING r.id
