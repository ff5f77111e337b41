-- How far the WAL is safe, in bytes; how far slot $1 is behind.
-- params: 1
SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint,
       coalesce((SELECT (pg_current_wal_flush_lsn() - confirmed_flush_lsn)::bigint FROM pg_replication_slots
                 WHERE slot_name = $1::text), 0);
