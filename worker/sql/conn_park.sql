-- params: 6
-- Parks a connection. $1 org, $2 adapter, $3 generation, $4 state (parked, reconnect), $5 reason, $6 ms until it is probed.
UPDATE sync.connection
SET state = $4, reason = $5, state_since = now(), updated_at = now(),
    probe_at = CASE WHEN $4 = 'parked' THEN now() + $6 * interval '1 millisecond' END
WHERE org_id = $1 AND adapter = $2 AND generation = $3 AND state = 'connected'
