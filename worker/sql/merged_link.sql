-- params: 5
-- The removed record's link says where it went. $1 org, $2 adapter, $3 type, $4 kept id, $5 removed id.
-- Gives removed entity, kept entity, children. No row: nothing to do.
WITH l AS (
    UPDATE sync.external_link SET state = 'merged_into', rev = rev + 1, last_processed_at = now(),
        link_metadata = link_metadata || jsonb_build_object('mergedInto', $4)
    WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND external_id = $5 AND state <> 'merged_into'
    RETURNING id, entity_id
), c AS ( -- what had been merged into the removed one has gone on with it
    UPDATE sync.external_link SET link_metadata = link_metadata || jsonb_build_object('mergedInto', $4)
    WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND state = 'merged_into' AND external_id <> $5
        AND link_metadata ->> 'mergedInto' = $5 -- an index of its own
), v AS (
    UPDATE sync.review r SET state = 'obsolete', decided_at = now() FROM l
    WHERE r.org_id = $1 AND r.adapter = $2 AND r.external_type = $3 AND r.external_id = $5 AND r.state = 'open'
)
SELECT l.entity_id, k.entity_id, coalesce(b.staged, b.seen) -> '_sub'
FROM l LEFT JOIN sync.base b ON b.org_id = $1 AND b.link_id = l.id
LEFT JOIN sync.external_link k ON k.org_id = $1 AND k.adapter = $2 AND k.external_type = $3 AND k.external_id = $4
    AND k.state = 'linked'
