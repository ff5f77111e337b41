-- $1: slot -> is there, ours (database and plugin), lost; wal_level
-- params: 1
SELECT s.slot_name IS NOT NULL, coalesce(s.database = current_database() AND s.plugin = 'pgoutput', false),
       coalesce(s.wal_status = 'lost', false), current_setting('wal_level')
FROM (SELECT 1) AS one LEFT JOIN pg_replication_slots s ON s.slot_name = $1::text;
