-- params: 5
-- The record was read, and some edge of it waits for another record: the row goes on as that. $1 org, $2 adapter, $3 type, $4 id,
-- $5 fence. Affects 1 row, or 0: nothing waits, or somebody else has it.
UPDATE sync.work SET state = 'ready', reason = 'edge', due_at = now(), lease_until = NULL
WHERE org_id = $1 AND adapter = $2 AND direction = 'in' AND record_type = $3 AND record_id = $4 AND fence = $5
    AND state = 'leased' AND waits_for IS NOT NULL
