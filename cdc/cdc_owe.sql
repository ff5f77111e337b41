-- A repair is owed for slot $1: what changed since its horizon may not have been read.
-- params: 1
UPDATE sync.cdc_state SET repair = jsonb_strip_nulls(jsonb_build_object('horizon',
    CASE WHEN repair IS NULL THEN horizon::text ELSE repair ->> 'horizon' END))
WHERE slot = $1::text;
