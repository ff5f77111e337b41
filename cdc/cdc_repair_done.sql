-- The repair of slot $1, which was in step $2, has ended.
-- params: 2
UPDATE sync.cdc_state SET repair = NULL
WHERE slot = $1::text AND coalesce((repair ->> 'step')::bigint, 0) = $2::bigint;
