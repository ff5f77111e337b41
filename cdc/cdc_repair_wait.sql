-- The repair owed for slot $1 waits, since tables are published that were not: what a transaction wrote in them before is not in the
-- stream, and it may still be open, so that comparing would not see it either. Once those that were open are over, it begins.
-- params: 1
UPDATE sync.cdc_state
SET repair = CASE repair ->> 'wait' WHEN 'new' THEN jsonb_build_object('wait', pg_snapshot_xmax(pg_current_snapshot())::text)
                                    ELSE '{}' END
WHERE slot = $1::text
  AND CASE repair ->> 'wait' WHEN 'new' THEN true
                             WHEN 'bad' THEN false
                             ELSE (repair ->> 'wait')::xid8 <= pg_snapshot_xmin(pg_current_snapshot()) END;
