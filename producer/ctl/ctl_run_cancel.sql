-- Ends the running run; its phases are never due again. $1 org, $2 adapter
-- params: 2
WITH ended AS (
    UPDATE sync.run SET state = 'cancelled', finished_at = now()
    WHERE org_id = $1 AND adapter = $2 AND state = 'running'
    RETURNING id
)
UPDATE sync.phase p SET due_at = 'infinity' FROM ended e WHERE p.run_id = e.id AND p.step NOT IN ('done', 'error');
