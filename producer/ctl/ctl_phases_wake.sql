-- What waited goes on: unfinished phases of the running run are emitted again, under the connection's present generation.
-- $1 org, $2 adapter
-- params: 2
UPDATE sync.phase p
SET due_at = now(), emitted_seq = least(p.emitted_seq, p.seq - 1)
FROM sync.run r
WHERE r.id = p.run_id AND r.state = 'running' AND p.org_id = $1 AND p.adapter = $2 AND p.step NOT IN ('done', 'error');
