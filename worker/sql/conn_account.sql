-- params: 5
-- The account that answers, and how far their clock is from ours. $1 org, $2 adapter, $3 account, $4 their date minus our time, ms, $5 generation.
-- A Date header is cut to its second and the answer was on its way: up to two seconds are no difference, more is rounded to seconds,
-- so that the connection, which workers keep by what it says, does not change with every measurement.
-- Gives the account that the connection belongs to.
UPDATE sync.connection SET external_account_id = coalesce(external_account_id, nullif($3, '')),
    clock_offset_ms = CASE WHEN abs($4::int8 + 500) <= 2000 THEN 0 ELSE round(($4::int8 + 500) / 1000.0)::int8 * 1000 END
WHERE org_id = $1 AND adapter = $2 AND generation = $5 RETURNING external_account_id
