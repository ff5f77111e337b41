-- One reader of slot $1 at a time, for as long as this session lives.
-- params: 1
SELECT pg_try_advisory_lock(hashtextextended('openfaith-cdc ' || $1::text, 0));
