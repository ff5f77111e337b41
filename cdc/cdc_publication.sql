-- The publications that the reader of slot $1 needs are $2: as they should be. While they are not, changes are missed: a repair is
-- owed, which waits until they are ("bad"), and then begins like that of any table that is published anew (publish_owe.sql).
-- params: 2
UPDATE sync.cdc_state
SET repair = CASE WHEN $2::boolean THEN '{"wait": "new"}' ELSE '{"wait": "bad"}' END::jsonb
WHERE slot = $1::text AND coalesce(repair ->> 'wait' = 'bad', false) = $2::boolean;
