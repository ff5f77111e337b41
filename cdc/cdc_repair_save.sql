-- The repair of slot $1, which was in step $2, is in step $3 now, after the position $4. One that began anew meanwhile stays so.
-- params: 4
UPDATE sync.cdc_state
SET repair = repair || jsonb_build_object('step', $3::bigint, 'after', to_jsonb($4::text[]))
WHERE slot = $1::text AND repair IS NOT NULL AND coalesce((repair ->> 'step')::bigint, 0) = $2::bigint;
