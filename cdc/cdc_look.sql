-- How slot $1 stands, $2 (a position in bytes) being what we have confirmed: bytes retained, bytes behind, bytes until it is lost
-- (null: no limit), a sample for the horizon (a position that is not passed yet when the snapshot is taken; whatever commits after
-- it has a transaction id from the second on), whether a repair can be made, whether another slot holds more, seconds that the oldest
-- running transaction with an id lasts, whether the slot is there, whether a repair is owed that waits.
-- params: 2
SELECT coalesce((pg_current_wal_lsn() - s.restart_lsn)::bigint, 0),
       greatest((pg_current_wal_flush_lsn() - ('0/0'::pg_lsn + $2::bigint))::bigint, 0),
       s.safe_wal_size, (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint,
       pg_snapshot_xmin(pg_current_snapshot())::text,
       (SELECT c.repair IS NOT NULL AND NOT c.repair ? 'wait' FROM sync.cdc_state c WHERE c.slot = $1::text),
       EXISTS (SELECT FROM pg_replication_slots o WHERE o.slot_name <> $1::text AND o.restart_lsn < s.restart_lsn),
       coalesce((SELECT extract(epoch FROM clock_timestamp() - min(a.xact_start))::bigint FROM pg_stat_activity a
                 WHERE a.backend_xid IS NOT NULL), 0),
       s.slot_name IS NOT NULL,
       (SELECT c.repair ? 'wait' FROM sync.cdc_state c WHERE c.slot = $1::text)
FROM (SELECT 1) AS one LEFT JOIN pg_replication_slots s ON s.slot_name = $1::text;
