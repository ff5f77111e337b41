-- One due-work message per (org, adapter) that has rows due or lease-expired for over a second, at most one per five seconds:
-- a row of sync.schedule (kind work, never due by itself) remembers when, for all schedulers. One scheduler looks at a time.
-- Runs of which nothing is left count as due too: who did their last row may have died before it could end them.
-- Leases of connections that are stopped are left out where they are counted: they stay, and would be all that $1 lets through.
-- The owners of open rows are found by a loose scan over work_due, so a backlog of one org costs one step; $4 owners a look.
-- $1 how many expired leases, $2, $3 org and adapter after which to look, $4 how many owners
-- -> org, adapter, generation; a row without generation says where the next look goes on
-- params: 4
WITH RECURSIVE gate AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(6436728) AS open
), owner AS (
    (SELECT w.org_id, w.adapter, 1::bigint AS n
     FROM sync.work w
     WHERE w.state IN ('ready', 'leased', 'waiting') AND (w.org_id, w.adapter) > ($2, $3) AND (SELECT open FROM gate)
     ORDER BY w.org_id, w.adapter
     LIMIT 1)
    UNION ALL
    SELECT next.org_id, next.adapter, o.n + 1
    FROM owner o
    CROSS JOIN LATERAL (
        SELECT w.org_id, w.adapter
        FROM sync.work w
        WHERE w.state IN ('ready', 'leased', 'waiting') AND (w.org_id, w.adapter) > (o.org_id, o.adapter)
        ORDER BY w.org_id, w.adapter
        LIMIT 1) next
    WHERE o.n < $4
), expired AS (
    SELECT w.org_id, w.adapter
    FROM sync.work w
    WHERE w.state = 'leased' AND w.lease_until < now() - interval '1 second' AND (SELECT open FROM gate)
      AND EXISTS (
          SELECT FROM sync.connection c
          WHERE c.org_id = w.org_id AND c.adapter = w.adapter AND c.state = 'connected')
      AND NOT EXISTS (
          SELECT FROM sync.schedule s
          WHERE s.org_id = w.org_id AND s.adapter = w.adapter AND s.kind = 'work'
            AND s.emitted_at >= now() - interval '5 seconds')
    ORDER BY w.lease_until
    LIMIT $1
), over AS (
    SELECT r.org_id, r.adapter
    FROM sync.run r
    WHERE r.state = 'running' AND r.barrier AND (SELECT open FROM gate)
      AND NOT EXISTS (SELECT FROM sync.phase p WHERE p.run_id = r.id AND p.step NOT IN ('done', 'error'))
      AND NOT EXISTS (
          SELECT FROM sync.work w
          WHERE w.org_id = r.org_id AND w.adapter = r.adapter AND w.direction = 'in' AND w.state IN ('ready', 'leased')
            AND w.priority = 0)
), asked AS (
    SELECT o.org_id, o.adapter
    FROM owner o
    WHERE (SELECT w.due_at
           FROM sync.work w
           WHERE w.org_id = o.org_id AND w.adapter = o.adapter AND w.state IN ('ready', 'waiting')
           ORDER BY w.due_at
           LIMIT 1) < now() - interval '1 second'
    UNION
    SELECT e.org_id, e.adapter FROM expired e
    UNION
    SELECT o.org_id, o.adapter FROM over o
), due AS (
    SELECT a.org_id, a.adapter, c.generation
    FROM asked a
    JOIN sync.connection c ON c.org_id = a.org_id AND c.adapter = a.adapter AND c.state = 'connected'
    WHERE coalesce((SELECT s.emitted_at FROM sync.schedule s
                    WHERE s.org_id = a.org_id AND s.adapter = a.adapter AND s.kind = 'work'), '-infinity')
        < now() - interval '5 seconds'
    ORDER BY a.org_id, a.adapter
), told AS (
    INSERT INTO sync.schedule AS s (org_id, adapter, kind, generation, due_at, emitted_at)
    SELECT org_id, adapter, 'work', generation, 'infinity', now() FROM due
    ON CONFLICT (org_id, adapter, kind) DO UPDATE SET emitted_at = now(), generation = excluded.generation
    RETURNING s.org_id, s.adapter, s.generation
)
SELECT org_id, adapter, generation FROM told
UNION ALL
SELECT org_id, adapter, NULL::bigint FROM owner WHERE n = $4
UNION ALL
SELECT $2, $3, NULL::bigint FROM gate WHERE NOT open;
