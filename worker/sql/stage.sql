-- params: 13
-- Listed records: link and base.staged. $1 org, $2 adapter, $3 type, $4 kind, $5 ids, $6 created, $7 updated, $8 bodies,
-- $9 match keys, $10 link metadata, $11 read number, $12 run, $13 mark for seen_run (null: leave).
-- An older read never overwrites a newer one; what is equal to what is known is not written.
WITH x AS (
    SELECT * FROM unnest($5::text[], $6::timestamptz[], $7::timestamptz[], $8::jsonb[], $9::text[], $10::jsonb[])
        AS x (ext, created, updated, body, keys, meta)
), l AS (
    INSERT INTO sync.external_link AS l (org_id, adapter, external_type, external_id, kind, link_metadata,
        external_created_at, external_updated_at, read_seq, run_id, seen_run)
    SELECT $1, $2, $3, x.ext, $4, x.meta, x.created, x.updated, $11, $12, $13 FROM x
    ON CONFLICT (org_id, adapter, external_type, external_id) DO UPDATE
        SET external_created_at = excluded.external_created_at, external_updated_at = excluded.external_updated_at,
            read_seq = excluded.read_seq, link_metadata = excluded.link_metadata, missing_since = NULL,
            seen_run = coalesce(excluded.seen_run, l.seen_run),
            run_id = coalesce(l.run_id, excluded.run_id),
            state = CASE WHEN l.state <> 'deleted' THEN l.state WHEN l.entity_id IS NULL THEN 'unmatched' ELSE 'linked' END
        WHERE excluded.read_seq > l.push_seq AND l.state NOT IN ('merged_into', 'unlinked')
            AND (coalesce(excluded.external_updated_at, '-infinity'), excluded.read_seq)
                >= (coalesce(l.external_updated_at, '-infinity'), l.read_seq)
    RETURNING l.id, l.external_id
)
INSERT INTO sync.base AS b (org_id, link_id, staged, match_keys)
SELECT $1, l.id, x.body, string_to_array(x.keys, E'\x1f') FROM l JOIN x ON x.ext = l.external_id
ON CONFLICT (org_id, link_id) DO UPDATE
    SET staged = CASE WHEN b.seen = excluded.staged THEN NULL ELSE excluded.staged END, match_keys = excluded.match_keys
    WHERE b.staged IS DISTINCT FROM CASE WHEN b.seen = excluded.staged THEN NULL ELSE excluded.staged END
