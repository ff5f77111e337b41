-- params: 2
-- A row if the organization has another system. $1 org, $2 adapter. Asked when it is our turn: it may just have been connected.
SELECT 1 FROM sync.connection WHERE org_id = $1 AND adapter <> $2 AND state <> 'disconnected' LIMIT 1
