-- The repair of slot $1, which stood at $2, has ended.
-- params: 2
UPDATE sync.cdc_state SET repair = NULL
WHERE slot = $1::text AND repair = $2::jsonb;
