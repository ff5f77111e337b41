-- The repair of slot $1, which stood at $2, is in step $3 now, after the position $4. No row: it began anew meanwhile, and stays so.
-- -> where it stands
-- params: 4
UPDATE sync.cdc_state
SET repair = repair || jsonb_build_object('step', $3::bigint, 'after', to_jsonb($4::text[]))
WHERE slot = $1::text AND repair = $2::jsonb
RETURNING repair;
