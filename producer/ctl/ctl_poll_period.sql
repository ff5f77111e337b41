-- How often a connection is polled, or one type of it (kind poll:TYPE). $1 org, $2 adapter, $3 generation, $4 kind, $5 seconds;
-- $5 = 0: the type has no period of its own any more
-- params: 5
WITH gone AS (
    DELETE FROM sync.schedule WHERE org_id = $1 AND adapter = $2 AND kind = $4 AND $5::int8 = 0
)
INSERT INTO sync.schedule AS s (org_id, adapter, kind, generation, period_s, due_at)
SELECT $1, $2, $4, $3, $5::int, sync.next_moment($1, $2, $4, $5::int, now()) WHERE $5::int8 > 0
ON CONFLICT (org_id, adapter, kind) DO UPDATE SET period_s = excluded.period_s, due_at = least(s.due_at, excluded.due_at);
