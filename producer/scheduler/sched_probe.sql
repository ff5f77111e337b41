-- Connections that the breaker parked are tried again: their failure count stays, so the first failure parks them anew.
-- $1 how many -> org, adapter
-- params: 1
WITH due AS (
    SELECT org_id, adapter
    FROM sync.connection
    WHERE state = 'parked' AND probe_at <= now()
    ORDER BY probe_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
), probed AS (
    UPDATE sync.connection c
    SET state = 'connected', probe_at = NULL, state_since = now(), updated_at = now()
    FROM due d
    WHERE c.org_id = d.org_id AND c.adapter = d.adapter
    RETURNING c.org_id, c.adapter
), polls AS ( -- the try
    UPDATE sync.schedule s SET due_at = now() FROM probed d
    WHERE s.org_id = d.org_id AND s.adapter = d.adapter AND s.kind = 'poll'
), moved AS (
    UPDATE sync.phase p
    SET due_at = now(), emitted_seq = least(p.emitted_seq, p.seq - 1)
    FROM probed d
    WHERE p.org_id = d.org_id AND p.adapter = d.adapter AND p.step NOT IN ('done', 'error')
      AND EXISTS (SELECT FROM sync.run r WHERE r.id = p.run_id AND r.state = 'running')
)
SELECT org_id, adapter FROM probed;
