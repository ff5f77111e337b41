-- params: 5
-- Reconnect needed: the credentials of this version are no longer accepted. $1 org, $2 adapter, $3 generation, $4 reason,
-- $5 token version. No row: a person has reconnected meanwhile, or the connection is not connected any more.
UPDATE sync.connection c
SET state = 'reconnect', reason = $4, state_since = now(), updated_at = now(), probe_at = NULL
WHERE c.org_id = $1 AND c.adapter = $2 AND c.generation = $3 AND c.state = 'connected'
  AND EXISTS (SELECT FROM sync.token t WHERE t.org_id = c.org_id AND t.adapter = c.adapter AND t.version = $5)
