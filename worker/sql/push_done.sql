-- params: 5
-- Worked off, unless it was hinted meanwhile: then it is ready again. $1 org, $2 adapter, $3 type, $4 id, $5 fence.
-- Gives whether it is ready again; no row: somebody else has it.
WITH d AS (
    DELETE FROM sync.work WHERE org_id = $1 AND adapter = $2 AND direction = 'out' AND record_type = $3 AND record_id = $4
        AND fence = $5 AND state = 'leased' AND gen = taken_gen RETURNING 1
), u AS (
    UPDATE sync.work SET state = 'ready', due_at = now(), lease_until = NULL, intent = NULL, sending = NULL, attempts = 0, waits_for = NULL,
        first_at = now()
    WHERE org_id = $1 AND adapter = $2 AND direction = 'out' AND record_type = $3 AND record_id = $4
        AND fence = $5 AND state = 'leased' AND gen <> taken_gen RETURNING 1
)
SELECT false FROM d UNION ALL SELECT true FROM u
