-- The reader of slot $1 begins: its row is there from now on, so that others can ask for a repair. $2 system, $3 timeline, $4 position
-- in bytes.
-- params: 4
INSERT INTO sync.cdc_state (slot, system_id, timeline, published_lsn)
VALUES ($1::text, $2::text, $3::bigint, '0/0'::pg_lsn + $4::bigint)
ON CONFLICT (slot) DO NOTHING;
