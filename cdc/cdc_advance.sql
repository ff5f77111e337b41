-- Slot $1 up to $2 (a position in bytes).
-- params: 2
SELECT end_lsn FROM pg_replication_slot_advance($1::text, '0/0'::pg_lsn + $2::bigint);
