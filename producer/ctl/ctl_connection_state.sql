-- $1 org, $2 adapter, $3 state, $4 how much the generation moves
-- params: 4
WITH scheduled AS (
    UPDATE sync.schedule SET generation = generation + $4::int8, -- resumed: polls go on at once
        due_at = CASE WHEN $3 = 'connected' AND (kind LIKE 'poll%' OR wanted > done) AND kind <> 'work' THEN now() ELSE due_at END
    WHERE org_id = $1 AND adapter = $2 AND ($4::int8 > 0 OR $3 = 'connected')
)
UPDATE sync.connection
SET state = $3, reason = NULL, probe_at = NULL, failures = 0, state_since = now(), updated_at = now(),
    generation = generation + $4::int8
WHERE org_id = $1 AND adapter = $2;
