-- What holds a sync back. $1 org, $2 adapter -> limit n, period s (of the budget, null: none met), reasons of phases that wait,
-- records with open work, seconds since anything moved although tasks are emitted, seconds that a due task was not emitted
-- params: 2
WITH open AS (
    SELECT p.* FROM sync.phase p
    JOIN sync.run r ON r.id = p.run_id AND r.state = 'running'
    WHERE p.org_id = $1 AND p.adapter = $2 AND p.step NOT IN ('done', 'error')
)
SELECT (SELECT b.limit_n FROM sync.budget b WHERE b.org_id = $1 AND b.adapter = $2),
       (SELECT b.period_s FROM sync.budget b WHERE b.org_id = $1 AND b.adapter = $2),
       (SELECT string_agg(DISTINCT o.waits, '; ') FROM open o WHERE o.waits IS NOT NULL),
       (SELECT count(*) FROM sync.work w WHERE w.org_id = $1 AND w.adapter = $2 AND w.state IN ('ready', 'leased', 'waiting')),
       (SELECT extract(epoch FROM now() - max(greatest(o.moved_at, o.emitted_at)))::bigint FROM open o WHERE o.emitted_seq >= o.seq),
       (SELECT extract(epoch FROM now() - min(o.due_at))::bigint FROM open o WHERE o.emitted_seq < o.seq AND o.due_at <= now());
