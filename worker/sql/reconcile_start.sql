-- params: 6
-- A run that reads everything again, with a phase per type that begins at its last step. $1 org, $2 adapter; the moments it is
-- for: $3 kinds, $4 wanted, $5 rev; $6 types (null: all). None if a run is running.
WITH r AS (
    INSERT INTO sync.run (org_id, adapter, kind, barrier)
    SELECT $1, $2, 'reconcile', true
    WHERE EXISTS (SELECT FROM sync.status s WHERE s.org_id = $1 AND s.adapter = $2 AND ($6::text[] IS NULL OR s.external_type = ANY ($6)))
    ON CONFLICT (org_id, adapter) WHERE state = 'running' DO NOTHING
    RETURNING id
), p AS (
    INSERT INTO sync.phase (run_id, external_type, org_id, adapter, ordinal, step)
    SELECT r.id, s.external_type, $1, $2, s.ordinal, 'check'
    FROM r JOIN sync.status s ON s.org_id = $1 AND s.adapter = $2 AND ($6::text[] IS NULL OR s.external_type = ANY ($6))
)
UPDATE sync.schedule s SET run_id = r.id, run_wanted = k.wanted, rev = s.rev + 1
FROM r, unnest($3::text[], $4::bigint[], $5::bigint[]) AS k (kind, wanted, rev)
WHERE s.org_id = $1 AND s.adapter = $2 AND s.kind = k.kind AND s.rev = k.rev
