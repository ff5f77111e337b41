-- params: 0
SELECT pg_advisory_unlock(6436727);
