-- Who this server is and what sync.cdc_state says of slot $1: system id, timeline, newest transaction id, whether another server is
-- noted, whether a repair can be made, confirmed position of the slot (null: no slot).
-- params: 1
WITH here AS (
    SELECT (SELECT system_identifier::text FROM pg_control_system()) AS sys,
           ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int::bigint AS tl,
           pg_snapshot_xmax(pg_current_snapshot())::text AS xid
)
SELECT h.sys, h.tl, h.xid, coalesce(s.system_id <> h.sys OR s.timeline <> h.tl, false), s.repair IS NOT NULL AND NOT s.repair ? 'wait',
       (r.confirmed_flush_lsn - '0/0'::pg_lsn)::bigint
FROM here h
LEFT JOIN sync.cdc_state s ON s.slot = $1::text
LEFT JOIN pg_replication_slots r ON r.slot_name = $1::text;
