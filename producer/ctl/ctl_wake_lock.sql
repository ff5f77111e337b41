-- A worker that is about to wait for this takes turns with whoever ends the waiting (worker/sql/push_lock.sql: the same lock).
-- $1 org, $2 adapter, $3 what is waited for
-- params: 3
SELECT pg_advisory_xact_lock(hashtextextended($1 || chr(31) || $2 || chr(31) || $3, 7));
