-- params: 6
-- What the record named is gone there, so the record says something else by now: it is read itself. $1 org, $2 adapter, $3 type,
-- $4 id, $5 fence, $6 what it waited for when it was taken: if it waits for something else by now, it goes on waiting after that.
UPDATE sync.work SET state = 'ready', reason = 'read', waits_for = CASE WHEN waits_for IS DISTINCT FROM $6 THEN waits_for END,
    due_at = now(), lease_until = NULL
WHERE org_id = $1 AND adapter = $2 AND direction = 'in' AND record_type = $3 AND record_id = $4 AND fence = $5 AND state = 'leased'
