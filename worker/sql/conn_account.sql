-- params: 4
-- The account that answers, and how far their clock is from ours. $1 org, $2 adapter, $3 account, $4 their date minus our time, ms.
-- Gives the account that the connection belongs to.
UPDATE sync.connection SET external_account_id = coalesce(external_account_id, nullif($3, '')), clock_offset_ms = $4
WHERE org_id = $1 AND adapter = $2 RETURNING external_account_id
