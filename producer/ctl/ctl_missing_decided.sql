-- A person has decided about the many records of a type that are missing there: they may go (looked at once more, and for a day
-- nobody is asked again), or they stay as they are. $1 org, $2 adapter, $3 type, $4 they may go
-- params: 4
WITH looks AS (
    UPDATE sync.work SET state = 'ready', due_at = now(), attempts = 0, gen = gen + 1
    WHERE org_id = $1 AND adapter = $2 AND direction = 'in' AND record_type = $3 AND state = 'parked' AND reason = 'second look' AND $4
), none AS (
    DELETE FROM sync.work
    WHERE org_id = $1 AND adapter = $2 AND direction = 'in' AND record_type = $3 AND state = 'parked' AND reason = 'second look' AND NOT $4
), asked AS (
    INSERT INTO sync.schedule AS s (org_id, adapter, kind, generation, due_at, wanted, asked)
    SELECT $1, $2, 'ask:reconcile:' || $3, c.generation, now(), 1, 1
    FROM sync.connection c WHERE c.org_id = $1 AND c.adapter = $2 AND c.state <> 'disconnected' AND $4
    ON CONFLICT (org_id, adapter, kind) DO UPDATE
    SET due_at = now(), wanted = greatest(s.wanted, s.done) + 1, asked = greatest(s.wanted, s.done) + 1
)
UPDATE sync.status SET error = NULL WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND state = 'active';
