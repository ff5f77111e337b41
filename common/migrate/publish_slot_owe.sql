-- The slot $1 begins anew: what changed since the last published commit is owed a repair, from the oldest transaction that may
-- have come after it (its horizon; none: everything, also where the server is not the one it was: numbers of transactions mean
-- nothing there). One that waits for publications goes on waiting. Nothing is owed while nothing is connected.
-- params: 1
WITH here AS (
    SELECT (SELECT system_identifier::text FROM pg_control_system()) AS sys,
           ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int::bigint AS tl
)
INSERT INTO sync.cdc_state AS s (slot, system_id, timeline, published_lsn, repair)
SELECT $1::text, sys, tl, '0/0', '{}' FROM here
WHERE EXISTS (SELECT FROM sync.connection) OR EXISTS (SELECT FROM sync.cdc_state c WHERE c.slot = $1::text)
ON CONFLICT (slot) DO UPDATE SET
    repair = CASE
        WHEN s.repair ->> 'wait' = 'bad' THEN s.repair
        WHEN s.repair ? 'wait' THEN '{"wait": "new"}'
        WHEN s.system_id <> excluded.system_id OR s.timeline <> excluded.timeline THEN '{}'
        WHEN s.repair IS NOT NULL THEN jsonb_strip_nulls(jsonb_build_object('horizon', s.repair ->> 'horizon'))
        ELSE jsonb_strip_nulls(jsonb_build_object('horizon', s.horizon::text)) END,
    horizon = CASE WHEN s.system_id = excluded.system_id AND s.timeline = excluded.timeline THEN s.horizon END,
    system_id = excluded.system_id, timeline = excluded.timeline;
