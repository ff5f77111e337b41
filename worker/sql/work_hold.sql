-- params: 5
-- Holds the row for the rest of the transaction: whether nobody has hinted it since it was taken.
-- $1 org, $2 adapter, $3 type, $4 id, $5 fence.
SELECT gen = taken_gen FROM sync.work WHERE org_id = $1 AND adapter = $2 AND direction = 'in' AND record_type = $3
    AND record_id = $4 AND fence = $5 AND state = 'leased' FOR UPDATE
