-- The reader of slot $1 begins: its row is there from now on, so that others can ask for a repair, and says that there is a reader to
-- wait for. $2 system, $3 timeline, $4 position in bytes, $5 reader.
-- params: 5
INSERT INTO sync.cdc_state AS s (slot, system_id, timeline, published_lsn, reader)
VALUES ($1::text, $2::text, $3::bigint, '0/0'::pg_lsn + $4::bigint, $5::text)
ON CONFLICT (slot) DO UPDATE SET reader = excluded.reader WHERE s.reader IS NULL;
