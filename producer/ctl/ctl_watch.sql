-- What holds a sync back. $1 org, $2 adapter -> limit n, period s (of the budget, null: none met), reasons of phases that wait
-- params: 2
SELECT (SELECT b.limit_n FROM sync.budget b WHERE b.org_id = $1 AND b.adapter = $2),
       (SELECT b.period_s FROM sync.budget b WHERE b.org_id = $1 AND b.adapter = $2),
       (SELECT string_agg(DISTINCT p.waits, '; ') FROM sync.phase p
        JOIN sync.run r ON r.id = p.run_id AND r.state = 'running'
        WHERE p.org_id = $1 AND p.adapter = $2 AND p.step NOT IN ('done', 'error') AND p.waits IS NOT NULL);
