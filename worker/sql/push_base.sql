-- params: 5
-- What both sides said with a push; what was listed before it is older. $1 org, $2 link, $3 seen, $4 agreed, $5 mapping version.
INSERT INTO sync.base AS b (org_id, link_id, seen, agreed, mapping_version)
VALUES ($1, $2, $3, nullif(nullif($4::jsonb - '_sent', $3::jsonb), '{}'), $5::int)
ON CONFLICT (org_id, link_id) DO UPDATE SET seen = excluded.seen, agreed = excluded.agreed, staged = NULL,
    mapping_version = excluded.mapping_version
