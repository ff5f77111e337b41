-- The repair owed for slot $1 waits, since tables are published that were not: what a transaction wrote in them before is not in the
-- stream, and it may still be open, so that comparing would not see it either. Once all that began before this one are over (a snapshot's
-- end would not do: it leaves out what began last), it begins.
-- params: 1
UPDATE sync.cdc_state
SET repair = CASE repair ->> 'wait' WHEN 'new' THEN jsonb_build_object('wait', pg_current_xact_id()::text)
                                    ELSE '{}' END
WHERE slot = $1::text
  AND CASE repair ->> 'wait' WHEN 'new' THEN true
                             WHEN 'bad' THEN false
                             ELSE (repair ->> 'wait')::xid8 <= pg_snapshot_xmin(pg_current_snapshot()) END;
