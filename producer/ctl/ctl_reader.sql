-- Whether the change reader of slot $1 is past $2 (a WAL position in bytes; null: none yet) and owes no repair, the present WAL
-- position. Without slot or reader nothing is waited for.
-- params: 2
WITH lock AS (
    SELECT hashtextextended('openfaith-cdc ' || $1::text, 0) AS h
)
SELECT NOT EXISTS (
           SELECT FROM pg_replication_slots s, lock
           WHERE s.slot_name = $1::text AND s.database = current_database()
             AND EXISTS (SELECT FROM pg_locks k WHERE k.locktype = 'advisory' AND k.objsubid = 1 AND k.granted
                         AND k.classid::bigint = (h >> 32) & 4294967295 AND k.objid::bigint = h & 4294967295)
             AND ($2::bigint IS NULL OR s.confirmed_flush_lsn - '0/0'::pg_lsn < $2::bigint
                  OR EXISTS (SELECT FROM sync.cdc_state c WHERE c.slot = $1::text AND c.repair IS NOT NULL))),
       (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint;
