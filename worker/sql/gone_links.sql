-- params: 4
-- Tombstones. $1 org, $2 adapter, $3 type, $4 ids. Gives id, entity id, children (_sub).
WITH l AS (
    UPDATE sync.external_link SET state = 'deleted', missing_since = coalesce(missing_since, now()), rev = rev + 1,
        last_processed_at = now()
    WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND external_id = ANY ($4)
        AND state IN ('unmatched', 'ambiguous', 'linked')
    RETURNING id, external_id, entity_id
), m AS ( -- should it come back just as it was, it is not what was seen
    UPDATE sync.base b SET seen = b.seen || '{"_gone": true}'
    WHERE b.org_id = $1 AND b.link_id = ANY (ARRAY(SELECT id FROM l))
), v AS (
    UPDATE sync.review r SET state = 'obsolete', decided_at = now() FROM l
    WHERE r.org_id = $1 AND r.adapter = $2 AND r.external_type = $3 AND r.external_id = l.external_id AND r.state = 'open'
)
SELECT l.external_id, l.entity_id, coalesce(b.staged, b.seen) -> '_sub'
FROM l LEFT JOIN sync.base b ON b.org_id = $1
    AND b.link_id = ANY (ARRAY(SELECT id FROM l)) AND b.link_id = l.id
