-- A run with a phase per type, due now. $1 org, $2 adapter, $3 kind, $4 types, $5 ordinals -> run
-- params: 5
WITH started AS (
    INSERT INTO sync.run (org_id, adapter, kind) VALUES ($1, $2, $3) RETURNING id
), phases AS (
    INSERT INTO sync.phase (run_id, external_type, org_id, adapter, ordinal)
    SELECT s.id, t.type, $1, $2, t.ordinal::int
    FROM started s, unnest($4::text[], $5::int8[]) AS t (type, ordinal)
)
SELECT id FROM started;
