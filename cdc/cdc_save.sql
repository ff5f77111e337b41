-- Where the reader of slot $1 is: $2 system, $3 timeline, $4 published position in bytes, $5 time of that commit, $6 reader, $7 gear,
-- $8 horizon (null: as it was).
-- params: 8
INSERT INTO sync.cdc_state AS s (slot, system_id, timeline, published_lsn, committed_at, reader, gear, horizon)
VALUES ($1::text, $2::text, $3::bigint, '0/0'::pg_lsn + $4::bigint, $5::timestamptz, $6::text, $7::text, $8::text::xid8)
ON CONFLICT (slot) DO UPDATE SET
    system_id = excluded.system_id, timeline = excluded.timeline, published_lsn = excluded.published_lsn,
    committed_at = excluded.committed_at, reader = excluded.reader, gear = excluded.gear,
    horizon = coalesce(excluded.horizon, s.horizon), updated_at = now();
