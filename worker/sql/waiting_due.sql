-- params: 2
-- Before the last look of a run: whatever still waits is looked at now. $1 org, $2 adapter.
UPDATE sync.work SET state = 'ready', due_at = now() WHERE org_id = $1 AND adapter = $2 AND direction = 'in' AND state = 'waiting'
