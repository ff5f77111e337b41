-- params: 2
-- What a poll begins from. $1 org, $2 adapter. Rows: 'c' (the connection: account, ms of their clock before ours, read number,
-- a run is running), 'k' per owed moment (kind, wanted, rev, attempts, generation, its run is running, done), 't' per active type (name,
-- last successful poll in us, status says that mergers cannot be read, cursor). Takes a read number.
SELECT 'c', coalesce(c.external_account_id, ''), c.clock_offset_ms, nextval('sync.read_seq'), NULL::bigint, NULL::bigint,
    EXISTS (SELECT FROM sync.run r WHERE r.org_id = $1 AND r.adapter = $2 AND r.state = 'running'), NULL::text
FROM sync.connection c WHERE c.org_id = $1 AND c.adapter = $2
UNION ALL
SELECT 'k', s.kind, s.wanted, s.rev, s.attempts::bigint, s.generation,
    EXISTS (SELECT FROM sync.run r WHERE r.id = s.run_id AND r.state = 'running'), s.done::text
FROM sync.schedule s WHERE s.org_id = $1 AND s.adapter = $2 AND s.kind <> 'work' AND (s.wanted > s.done OR s.kind LIKE 'poll:%')
UNION ALL
SELECT 't', t.external_type, (extract(epoch FROM t.last_successful_poll) * 1000000)::bigint, NULL, NULL, NULL,
    coalesce(t.error LIKE 'mergers cannot be read%', false),
    t.poll_cursor::text
FROM sync.status t WHERE t.org_id = $1 AND t.adapter = $2 AND t.state = 'active'
