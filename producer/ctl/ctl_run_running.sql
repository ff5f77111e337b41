-- $1 org, $2 adapter -> run, kind
-- params: 2
SELECT id, kind FROM sync.run WHERE org_id = $1 AND adapter = $2 AND state = 'running';
