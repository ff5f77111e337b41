-- params: 1
SELECT lsn FROM pg_create_logical_replication_slot($1::text, 'pgoutput');
