-- Whether anything is owed (to one org if $1 is given). Disconnected connections owe nothing.
-- params: 1
SELECT EXISTS (
    SELECT FROM sync.phase p
    JOIN sync.run r ON r.id = p.run_id AND r.state = 'running'
    JOIN sync.connection c ON c.org_id = p.org_id AND c.adapter = p.adapter AND c.state <> 'disconnected'
    WHERE p.step NOT IN ('done', 'error') AND ($1::text IS NULL OR p.org_id = $1)
) OR EXISTS (
    SELECT FROM sync.work w
    LEFT JOIN sync.connection c ON c.org_id = w.org_id AND c.adapter = w.adapter
    WHERE w.state IN ('ready', 'leased', 'waiting') AND ($1::text IS NULL OR w.org_id = $1)
      AND c.state IS DISTINCT FROM 'disconnected'
) OR EXISTS (
    SELECT FROM sync.schedule s
    JOIN sync.connection c ON c.org_id = s.org_id AND c.adapter = s.adapter AND c.state <> 'disconnected'
    WHERE s.asked > s.done AND ($1::text IS NULL OR s.org_id = $1)
);
