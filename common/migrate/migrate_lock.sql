-- Waits until no other migration runs in this database (lock_timeout bounds it).
-- params: 0
SELECT pg_advisory_lock(6436727);
