-- Whether the change reader of slot $1 is past $2 (a WAL position in bytes; null: none yet) and owes no repair, the present WAL
-- position. It is waited for once a reader has ever begun (cdc_begin.sql), whether one runs now or not: what is committed is owed to
-- it. Where none has, nothing is waited for.
-- params: 2
SELECT NOT EXISTS (
           SELECT FROM sync.cdc_state c
           LEFT JOIN pg_replication_slots s ON s.slot_name = c.slot AND s.database = current_database()
           WHERE c.slot = $1::text AND c.reader IS NOT NULL
             AND ($2::bigint IS NULL OR s.confirmed_flush_lsn IS NULL OR s.confirmed_flush_lsn - '0/0'::pg_lsn < $2::bigint
                  OR c.repair IS NOT NULL)),
       (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint;
