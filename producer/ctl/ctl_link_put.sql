-- Links a record to an entity, as if for the first time: what was seen is staged again. Records that live with it follow their
-- parent: back to what they were linked to, or matched anew. $1 org, $2 adapter, $3 type, $4 external id, $5 entity type, $6 entity
-- params: 6
WITH old AS MATERIALIZED (
    SELECT entity_id FROM sync.external_link WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND external_id = $4
), put AS (
    INSERT INTO sync.external_link AS l (org_id, adapter, external_type, external_id, kind, state, entity_type, entity_id)
    VALUES ($1, $2, $3, $4, 'entity', 'linked', $5, $6)
    ON CONFLICT (org_id, adapter, external_type, external_id) DO UPDATE
        SET state = 'linked', entity_type = excluded.entity_type, entity_id = excluded.entity_id, missing_since = NULL, rev = l.rev + 1
    RETURNING id
), base AS (
    UPDATE sync.base b SET staged = coalesce(b.staged, b.seen), seen = NULL, agreed = NULL
    FROM put WHERE b.org_id = $1 AND b.link_id = put.id
), child AS (
    UPDATE sync.external_link c
    SET state = CASE WHEN o.entity_id = $6 THEN 'linked' ELSE 'unmatched' END,
        entity_id = CASE WHEN o.entity_id = $6 THEN c.entity_id END, rev = c.rev + 1
    FROM old o WHERE c.org_id = $1 AND c.adapter = $2 AND c.kind IN ('entity', 'value') AND c.state = 'unlinked'
        AND c.link_metadata ->> 'parent' = $3 || '/' || $4
    RETURNING c.id, c.external_type, c.external_id
), child_base AS (
    UPDATE sync.base b SET staged = coalesce(b.staged, b.seen), seen = NULL, agreed = NULL
    FROM child WHERE b.org_id = $1 AND b.link_id = child.id
)
INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason)
SELECT $1, $2, 'in', c.external_type, c.external_id, 'linked' FROM child c
ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE SET gen = w.gen + 1, state = 'ready', due_at = now();
