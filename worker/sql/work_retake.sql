-- params: 5
-- The holder has looked at the record as it is now, and its own look has hinted the row again: that counts as seen.
-- $1 org, $2 adapter, $3 type, $4 id, $5 fence. Gives what it waits for now.
UPDATE sync.work SET taken_gen = gen WHERE org_id = $1 AND adapter = $2 AND direction = 'in' AND record_type = $3 AND record_id = $4
    AND fence = $5 AND state = 'leased'
RETURNING coalesce(waits_for, '')
