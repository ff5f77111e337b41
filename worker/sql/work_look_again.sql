-- params: 6
-- The record has been read and still names somebody who is gone: that may turn out to be a merger, and then it is tied to the kept one.
-- $1 org, $2 adapter, $3 type, $4 id, $5 fence, $6 ms until then.
UPDATE sync.work SET state = 'waiting', reason = 'edge', attempts = attempts + 1, due_at = now() + $6 * interval '1 millisecond',
    lease_until = NULL
WHERE org_id = $1 AND adapter = $2 AND direction = 'in' AND record_type = $3 AND record_id = $4 AND fence = $5 AND state = 'leased'
    AND gen = taken_gen
