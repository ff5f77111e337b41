-- params: 3
-- What waited for a record of ours to be linked is ready. $1 org, $2 adapter, $3 records (out:tag/id).
UPDATE sync.work SET state = 'ready', due_at = now(), waits_for = NULL
WHERE org_id = $1 AND adapter = $2 AND waits_for = ANY ($3) AND direction = 'out' AND state IN ('waiting', 'parked')
