-- One due-work message per (org, adapter) that has rows due or lease-expired for over a second, at most one per five seconds:
-- a row of sync.schedule (kind work, never due by itself) remembers when, for all schedulers. One scheduler looks at a time.
-- The owners of open rows are found by a loose scan over work_due; a backlog of one org costs one step.
-- $1 how many -> org, adapter, generation
-- params: 1
WITH RECURSIVE gate AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(6436728) AS open
), owner AS (
    (SELECT w.org_id, w.adapter
     FROM sync.work w
     WHERE w.state IN ('ready', 'leased', 'waiting') AND (SELECT open FROM gate)
     ORDER BY w.org_id, w.adapter
     LIMIT 1)
    UNION ALL
    SELECT n.org_id, n.adapter
    FROM owner o
    CROSS JOIN LATERAL (
        SELECT w.org_id, w.adapter
        FROM sync.work w
        WHERE w.state IN ('ready', 'leased', 'waiting') AND (w.org_id, w.adapter) > (o.org_id, o.adapter)
        ORDER BY w.org_id, w.adapter
        LIMIT 1) n
), due AS (
    SELECT o.org_id, o.adapter, c.generation
    FROM owner o
    JOIN sync.connection c ON c.org_id = o.org_id AND c.adapter = o.adapter AND c.state = 'connected'
    WHERE NOT EXISTS (
              SELECT FROM sync.schedule s
              WHERE s.org_id = o.org_id AND s.adapter = o.adapter AND s.kind = 'work'
                AND s.emitted_at > now() - interval '5 seconds')
      AND (EXISTS (
              SELECT FROM sync.work w
              WHERE w.org_id = o.org_id AND w.adapter = o.adapter AND w.state IN ('ready', 'waiting')
                AND w.due_at < now() - interval '1 second')
           OR EXISTS (
              SELECT FROM sync.work w
              WHERE w.org_id = o.org_id AND w.adapter = o.adapter AND w.state = 'leased'
                AND w.lease_until < now() - interval '1 second'))
    ORDER BY o.org_id, o.adapter
    LIMIT $1
)
INSERT INTO sync.schedule AS s (org_id, adapter, kind, generation, due_at, emitted_at)
SELECT org_id, adapter, 'work', generation, 'infinity', now() FROM due
ON CONFLICT (org_id, adapter, kind) DO UPDATE SET emitted_at = now(), generation = excluded.generation
RETURNING s.org_id, s.adapter, s.generation;
