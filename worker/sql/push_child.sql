-- params: 6
-- What was made there lives with its parent: known as one of its children, as if the parent had been read since.
-- $1 org, $2 adapter, $3 parent's type, $4 parent's id, $5 type, $6 id.
INSERT INTO sync.base AS b (org_id, link_id)
SELECT $1, l.id FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = $4
ON CONFLICT (org_id, link_id) DO UPDATE
    SET seen = b.seen || jsonb_build_object('_sub', coalesce(b.seen -> '_sub', '{}')
        || jsonb_build_object($5::text, coalesce(b.seen -> '_sub' -> $5, '[]') || to_jsonb($6::text)))
    WHERE b.seen IS NOT NULL AND NOT coalesce(b.seen -> '_sub' -> $5 ? $6, false)
