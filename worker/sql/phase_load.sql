-- params: 4
-- A phase as it stands, and a fresh read number. $1 org, $2 adapter, $3 run, $4 external type. No locks.
SELECT p.step, p.seq, p.emitted_seq, p.due_at <= now() AS due, p.cursor, p.processed, p.total, p.attempts,
       r.state, r.kind, r.barrier, (extract(epoch FROM r.server_date) * 1000000)::bigint,
       (extract(epoch FROM r.started_at) * 1000000)::bigint, nextval('sync.read_seq'), p.waits IS NOT NULL
FROM sync.phase p JOIN sync.run r ON r.id = p.run_id
WHERE p.run_id = $3 AND p.external_type = $4 AND p.org_id = $1 AND p.adapter = $2
