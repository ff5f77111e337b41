-- params: 13
-- What a poll has done, in one statement: cursors, the moment it stands for, and what is owed. $1 org, $2 adapter, $3 generation;
-- moments: $4 kinds, $5 wanted, $6 rev; $7 finished, $8 else ms until it is looked at again, $9 attempts, $10 their date less what
-- may come late (null: unknown); types: $11 names, $12 cursors (null: as it was), $13 its own moment moves.
-- Gives the moments that were still ours; none: the connection has changed, or another one did it.
WITH k AS (
    SELECT * FROM unnest($4::text[], $5::bigint[], $6::bigint[]) AS k (kind, wanted, rev)
), u AS (
    UPDATE sync.schedule s
    SET done = CASE WHEN $7 THEN greatest(s.done, k.wanted) ELSE s.done END, rev = s.rev + 1, attempts = $9::int,
        polled = CASE WHEN $7 THEN greatest(s.polled, $10) ELSE s.polled END,
        due_at = CASE WHEN NOT $7 THEN now() + $8 * interval '1 millisecond'
                      WHEN s.wanted > k.wanted THEN now()
                      ELSE sync.next_moment(s.org_id, s.adapter, s.kind, s.period_s, now()) END
    FROM k
    WHERE s.org_id = $1 AND s.adapter = $2 AND s.kind = k.kind AND s.rev = k.rev AND s.generation = $3
        AND NOT ($7 AND s.kind LIKE 'ask:%' AND s.wanted = k.wanted)
    RETURNING s.kind
), d AS (
    DELETE FROM sync.schedule s USING k
    WHERE s.org_id = $1 AND s.adapter = $2 AND s.kind = k.kind AND s.rev = k.rev AND s.generation = $3
        AND $7 AND s.kind LIKE 'ask:%' AND s.wanted = k.wanted
    RETURNING s.kind
), t AS (
    UPDATE sync.status t SET poll_cursor = coalesce(x.cursor, t.poll_cursor),
        last_successful_poll = CASE WHEN x.moves THEN greatest(t.last_successful_poll, $10) ELSE t.last_successful_poll END
    FROM unnest($11::text[], $12::jsonb[], $13::boolean[]) AS x (external_type, cursor, moves)
    WHERE t.org_id = $1 AND t.adapter = $2 AND t.external_type = x.external_type AND t.state = 'active'
        AND (EXISTS (SELECT FROM u) OR EXISTS (SELECT FROM d))
)
SELECT kind FROM u UNION ALL SELECT kind FROM d
