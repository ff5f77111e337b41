-- A row per type in scope; the others go. $1 org, $2 adapter, $3 types, $4 ordinals, $5 plurals, $6 begin anew
-- params: 6
WITH gone AS (
    DELETE FROM sync.status WHERE org_id = $1 AND adapter = $2 AND external_type <> ALL ($3::text[])
)
INSERT INTO sync.status AS s (org_id, adapter, external_type, ordinal, plural)
SELECT $1, $2, t.type, t.ordinal::int, t.plural
FROM unnest($3::text[], $4::int8[], $5::text[]) AS t (type, ordinal, plural)
ON CONFLICT (org_id, adapter, external_type) DO UPDATE
SET ordinal = excluded.ordinal, plural = excluded.plural,
    state = CASE WHEN $6::boolean THEN 'pending' ELSE s.state END,
    processed = CASE WHEN $6::boolean THEN 0 ELSE s.processed END,
    total = CASE WHEN $6::boolean THEN NULL ELSE s.total END,
    error = CASE WHEN $6::boolean THEN NULL ELSE s.error END,
    out_open = s.out_open AND NOT $6::boolean, poll_cursor = CASE WHEN $6::boolean THEN NULL ELSE s.poll_cursor END,
    unlinked = CASE WHEN $6::boolean THEN 0 ELSE s.unlinked END,
    updated_at = now();
