-- Types that left the scope have nothing to do any more. $1 org, $2 adapter, $3 types that stay
-- params: 3
UPDATE sync.phase p
SET step = 'done', seq = p.seq + 1, emitted_seq = p.seq + 1, moved_at = now()
FROM sync.run r
WHERE r.id = p.run_id AND r.state = 'running' AND p.org_id = $1 AND p.adapter = $2 AND p.step NOT IN ('done', 'error')
  AND p.external_type <> ALL ($3::text[]);
