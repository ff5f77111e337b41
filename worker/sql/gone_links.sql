-- params: 5
-- Tombstones. $1 org, $2 adapter, $3 type, $4 ids, $5 number of the read that found nobody (0: it was our own deletion). What a newer
-- read has met, or a push of ours has written since, is only owed a look. Gives id, entity id, children (_sub).
WITH k AS MATERIALIZED (
    SELECT l.* FROM unnest($4::text[]) AS i (ext)
    CROSS JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.external_id = i.ext LIMIT 1) l
), l AS (
    INSERT INTO sync.external_link AS l (org_id, adapter, external_type, external_id, id, kind)
    SELECT $1, $2, $3, k.external_id, k.id, k.kind FROM k
    ON CONFLICT (org_id, adapter, external_type, external_id) DO UPDATE
        SET state = 'deleted', missing_since = coalesce(l.missing_since, now()), rev = l.rev + 1, last_processed_at = now(),
            read_seq = greatest(l.read_seq, $5)
        WHERE l.state IN ('unmatched', 'ambiguous', 'linked') AND ($5 = 0 OR (l.read_seq <= $5 AND l.push_seq <= $5))
    RETURNING id, external_id, entity_id
), h AS (
    INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason)
    SELECT $1, $2, 'in', $3, k.external_id, 'older read' FROM k
    WHERE k.state IN ('unmatched', 'ambiguous', 'linked') AND NOT EXISTS (SELECT FROM l WHERE l.external_id = k.external_id)
    ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE SET gen = w.gen + 1,
        state = CASE WHEN w.state IN ('ready', 'leased') THEN w.state ELSE 'ready' END,
        due_at = CASE WHEN w.state IN ('ready', 'leased') THEN w.due_at ELSE now() END,
        attempts = CASE WHEN w.state = 'dead' THEN 0 ELSE w.attempts END
), m AS ( -- should it come back just as it was, that is not what was seen
    INSERT INTO sync.base AS b (org_id, link_id) SELECT $1, l.id FROM l
    ON CONFLICT (org_id, link_id) DO UPDATE SET seen = b.seen || '{"_gone": true}', write_xid = pg_current_xact_id()
), v AS (
    UPDATE sync.review r SET state = 'obsolete', decided_at = now() FROM l
    WHERE r.org_id = $1 AND r.adapter = $2 AND r.external_type = $3 AND r.external_id = l.external_id AND r.state = 'open'
)
SELECT l.external_id, l.entity_id, coalesce(b.staged, b.seen) -> '_sub'
FROM l LEFT JOIN LATERAL (SELECT * FROM sync.base b WHERE b.org_id = $1 AND b.link_id = l.id LIMIT 1) b ON true
