-- params: 1
-- Ends the run if nothing of it is left: every phase done, nothing owed for records. $1 run. Run's row locked before.
-- Status becomes active, with the run's first server date less five minutes as the last successful poll.
WITH r AS (
    UPDATE sync.run r SET state = 'done', finished_at = now()
    WHERE r.id = $1 AND r.state = 'running' AND r.barrier
        AND NOT EXISTS (SELECT FROM sync.phase p WHERE p.run_id = r.id AND p.step NOT IN ('done', 'error'))
        AND NOT EXISTS (SELECT FROM sync.work w WHERE w.org_id = r.org_id AND w.adapter = r.adapter AND w.direction = 'in'
                            AND w.state IN ('ready', 'leased') AND w.priority = 0)
    RETURNING r.id, r.org_id, r.adapter, coalesce(r.server_date, r.started_at) - interval '5 minutes' AS polled
)
UPDATE sync.status s SET state = CASE WHEN p.step = 'error' THEN 'error' ELSE 'active' END,
    last_successful_poll = CASE WHEN p.step = 'error' THEN s.last_successful_poll ELSE r.polled END, updated_at = now()
FROM r JOIN sync.phase p ON p.run_id = r.id
WHERE s.org_id = r.org_id AND s.adapter = r.adapter AND s.external_type = p.external_type
RETURNING r.id
