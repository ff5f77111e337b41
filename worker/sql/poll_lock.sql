-- params: 2
-- Waits for a scheduler that has moved the connection's moments and not committed yet: its message may be here before that.
-- $1 org, $2 adapter.
SELECT 1 FROM sync.schedule WHERE org_id = $1 AND adapter = $2 AND kind <> 'work' FOR KEY SHARE
