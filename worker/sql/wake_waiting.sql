-- params: 3
-- Something was linked: what waited for it is ready. $1 org, $2 adapter, $3 records (Type/id).
UPDATE sync.work SET state = 'ready', due_at = now(), waits_for = NULL
WHERE org_id = $1 AND adapter = $2 AND waits_for = ANY ($3) AND state IN ('waiting', 'parked')
