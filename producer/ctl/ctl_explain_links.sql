-- The records of an entity elsewhere. $1 org, $2 entity
-- -> adapter, type, id, state, run that brought it, processed (us), last pushed
-- params: 2
SELECT l.adapter, l.external_type, l.external_id, l.state, l.run_id, (extract(epoch FROM l.last_processed_at) * 1000000)::bigint,
       (extract(epoch FROM l.external_created_at) * 1000000)::bigint
FROM sync.external_link l WHERE l.org_id = $1 AND l.entity_id = $2 AND l.kind = 'entity'
ORDER BY l.adapter, l.external_type, l.external_id;
