-- params: 2
-- When is there something to do again? $1 org, $2 adapter. Gives whether a row is due whose transaction cannot be seen yet, ms until the
-- next row is due (null: none).
SELECT EXISTS (SELECT FROM sync.work
    WHERE org_id = $1 AND adapter = $2 AND direction = 'out' AND state IN ('ready', 'waiting') AND due_at <= now()
        AND xid IS NOT NULL AND NOT pg_visible_in_snapshot(xid, pg_current_snapshot())),
    (SELECT greatest((extract(epoch FROM due_at - now()) * 1000)::bigint, 0) FROM sync.work
    WHERE org_id = $1 AND adapter = $2 AND direction = 'out' AND state IN ('ready', 'waiting') ORDER BY due_at LIMIT 1)
