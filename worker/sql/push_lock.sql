-- params: 3
-- Whoever links a record of ours, and whoever decides to wait for that, take turns. $1 org, $2 adapter, $3 record (out:tag/id).
SELECT pg_advisory_xact_lock(hashtextextended($1 || chr(31) || $2 || chr(31) || $3, 7))
