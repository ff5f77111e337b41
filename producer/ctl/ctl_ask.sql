-- Asks for a poll or a reconciliation now: due at once, and owed until it is done. $1 org, $2 adapter, $3 generation, $4 kind
-- params: 4
INSERT INTO sync.schedule AS s (org_id, adapter, kind, generation, due_at, wanted, asked)
VALUES ($1, $2, $4, $3, now(), 1, 1)
ON CONFLICT (org_id, adapter, kind) DO UPDATE
SET due_at = now(), wanted = greatest(s.wanted, s.done) + 1, asked = greatest(s.wanted, s.done) + 1;
