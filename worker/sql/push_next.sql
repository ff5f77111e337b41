-- params: 2
-- Is a row due whose transaction cannot be seen yet? $1 org, $2 adapter.
SELECT 1 FROM sync.work
WHERE org_id = $1 AND adapter = $2 AND direction = 'out' AND state IN ('ready', 'waiting') AND due_at <= now()
    AND xid IS NOT NULL AND NOT pg_visible_in_snapshot(xid, pg_current_snapshot()) LIMIT 1
